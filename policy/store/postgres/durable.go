package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Durability returns by which settings of the server a change that was answered can be lost (SPEC 15.5);
// nothing where none is. It asks as the login that writes, where there is one.
func (e *Engine) Durability(ctx context.Context) (warnings []string, err error) {
	pool := e.read
	if e.admin != nil {
		pool = e.admin
	}
	ctx, _, stop := watch(ctx)
	defer stop()
	err = e.on(ctx, pool, func(c *pgx.Conn) error {
		var commit, fsync, names string
		var standbys int
		if err := c.QueryRow(ctx, selectDurability).Scan(&commit, &fsync, &names, &standbys); err != nil {
			return err
		}
		warnings = lossy(commit, fsync, names, standbys)
		return nil
	})
	return warnings, err
}

// lossy says of settings of the server what they lose.
func lossy(commit, fsync, names string, standbys int) (warnings []string) {
	warn := func(is bool, text string) {
		if is {
			warnings = append(warnings, text)
		}
	}
	warn(fsync != "on", "fsync is off: a crash of the machine can damage the database; set it to on")
	warn(commit == "off", "synchronous_commit is off: a crash of the server loses changes that were answered, those by hand too; "+
		"gateways ask for on with each change of theirs; set it to on")
	warn(names != "" && commit == "local", "synchronous_commit is local: a failover loses changes that were answered; set it to on")
	warn(names != "" && commit == "remote_write", "synchronous_commit is remote_write: a standby whose machine crashes has lost changes that were answered; set it to on")
	warn(names == "" && standbys > 0, "the standbys are asynchronous (synchronous_standby_names is empty): a failover loses the last changes, "+
		"revocations among them; name one as synchronous")
	return warnings
}
