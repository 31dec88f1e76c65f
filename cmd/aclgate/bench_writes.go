package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"aclgate/bench"
	"aclgate/bench/report"
	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy/routes"
	"aclgate/policy/store"
)

func (e *env) benchWrites() *cobra.Command {
	var postgres string
	f := new(benchFlags)
	c := e.benchKind("writes", "Administer over HTTP: how long writes take, and what they cost the reads beside them", f,
		func(ctx context.Context, o bench.Options) (*report.Result, error) {
			db := bench.WriteStore{Settings: "store: {kind: sqlite, path: bench.db}", Target: 20}
			drop := func() {}
			db.Drop = func() { drop() }
			db.Fill = func(ctx context.Context, file string) error {
				s, faults := config.Load(file)
				if err := faults.Err(); err != nil {
					return err
				}
				if postgres != "" {
					if err := app.NewStore(ctx, s); err != nil {
						return err
					}
					drop = func() { e.dropStore(s) }
				}
				return fillBench(ctx, s)
			}
			if postgres != "" {
				db.Settings, db.Target = "store: {kind: postgres, url_file: dsn, admin_url_file: dsn}", 30
				db.Files = map[string]string{"dsn": postgres}
			}
			return bench.Writes(ctx, o, db)
		})
	c.Long = `Start a gateway with a SQLite database in a folder of its own, and send it 1000
reads a second by tokens with an ACL, in rounds: alone, with 200 writes a second
beside them, which make tokens and change some as a master does, and beside a
process that takes as much CPU as those and does nothing else. All count from the
moment at which they were due. It takes two minutes.

With --postgres URL the same with a PostgreSQL database without a store, which it
takes away again; its login is a superuser, or in the three roles that
"aclgate store roles" makes.`
	c.Flags().DurationVar(&f.duration, "duration", 20*time.Second, "how long to write, in all rounds")
	c.Flags().StringVar(&postgres, "postgres", "", "DSN of an empty PostgreSQL database, in the place of SQLite")
	return c
}

// fillBench makes a database of the policy.json beside the settings.
func fillBench(ctx context.Context, s *config.Settings) error {
	if s.Store.Kind == config.StoreSQLite {
		if _, err := app.Migrate(ctx, s, ""); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.Name()), "policy.json"))
	if err != nil {
		return err
	}
	return importInto(ctx, s, "policy.json", text, nil)
}

// importInto replaces what is in the database of the settings by a policy. more is done in the same
// transaction; it may be nil.
func importInto(ctx context.Context, s *config.Settings, name string, policy []byte, more func(*store.Tx) error) error {
	cat, err := routes.Default()
	if err != nil {
		return err
	}
	t, faults := store.ReadTransfer(name, policy, cat, s.Policy.MaxDepth)
	if err := faults.Err(); err != nil {
		return err
	}
	db, err := app.OpenDatabase(ctx, s)
	if err != nil {
		return err
	}
	_, err = store.Write(ctx, app.LiveOptions(s, db), "demo", func(tx *store.Tx) error {
		if _, err := t.Import(tx, true, nil); err != nil || more == nil {
			return err
		}
		return more(tx)
	})
	return errors.Join(err, db.Close())
}
