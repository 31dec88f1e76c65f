package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy/store"
)

func (e *env) storeStatus() *cobra.Command {
	var offline bool
	var output outputFlag
	c := &cobra.Command{
		Use:   "status",
		Short: "Say where the database is, and what the running gateway obeys of it",
		Long: `Say where the database is, and what the running gateway obeys of it, as JSON. With
--offline read the database alone, and say it in a line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !offline {
				return e.printAdmin(cmd.Context(), "/store/status")
			}
			return e.withDatabase(cmd.Context(), func(_ *config.Settings, db app.Database) error {
				b, err := db.Since(cmd.Context(), 0)
				switch {
				case err != nil:
				case output.json():
					err = e.printJSON(map[string]any{"store": db.Name(), "head": b.Head.Rev, "floor": b.Head.Floor, "schema": b.Head.Version})
				default:
					fmt.Fprintf(e.stdout, "%s: revision %d, changes from %d on, schema %d\n", db.Name(), b.Head.Rev, b.Head.Floor, b.Head.Version)
				}
				return err
			})
		},
	}
	output.add(c)
	c.Flags().BoolVar(&offline, "offline", false, "read the database, and ask no gateway")
	return c
}

func (e *env) storeVerify() *cobra.Command {
	var offline bool
	var output outputFlag
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare what is in the database with what the running gateway obeys",
		Long: `Count and sum up what is in the database and what the running gateway obeys, and
name the rows that do not read. With --offline, have SQLite check the file, or
look for the triggers in PostgreSQL, and read every row. Exit code 1 says that something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if offline {
				return e.withDatabase(cmd.Context(), func(s *config.Settings, db app.Database) error { return e.verifyFile(cmd.Context(), s, db, output) })
			}
			return e.verifyRunning(cmd.Context(), output)
		},
	}
	output.add(c)
	c.Flags().BoolVar(&offline, "offline", false, "check the database, and ask no gateway")
	return c
}

func (e *env) verifyFile(ctx context.Context, s *config.Settings, db app.Database, output outputFlag) error {
	faults, err := db.Verify(ctx)
	if err != nil {
		return err
	}
	v, _, err := store.VerifyEngine(ctx, db, s.Policy.MaxDepth)
	if err != nil {
		return err
	}
	v.BadRows = append(faults, v.BadRows...)
	if n := len(v.BadRows); output.json() {
		return cmp.Or(e.printJSON(struct {
			Revision int64     `json:"revision"`
			Engine   store.Sum `json:"engine"`
			BadRows  []string  `json:"bad_rows"`
		}{v.Revision, v.Engine, v.BadRows}), codeIf(n > 0))
	}
	for _, line := range v.BadRows {
		fmt.Fprintln(e.stderr, line)
	}
	fmt.Fprintf(e.stdout, "revision %d: %s\n", v.Revision, sumOf(v.Engine))
	if n := len(v.BadRows); n > 0 {
		return fmt.Errorf("%s: mend the rows, or put the newest backup in the place of the database", counted(n, "fault", "faults"))
	}
	return nil
}

func (e *env) verifyRunning(ctx context.Context, output outputFlag) error {
	var v store.Verification
	if err := e.storeAnswer(ctx, http.MethodGet, "/store/verify", nil, &v); err != nil {
		return err
	}
	same := v.Same() && len(v.BadRows) == 0
	if output.json() {
		return cmp.Or(e.printJSON(v), codeIf(!same))
	}
	for _, line := range v.BadRows {
		fmt.Fprintln(e.stderr, line)
	}
	fmt.Fprintf(e.stdout, "revision %d\nin the database: %s\nobeyed:          %s\n", v.Revision, sumOf(v.Engine), sumOf(v.Obeyed))
	if !same {
		return failed(errors.New("they are not the same: the log of the gateway names rows that do not read; a restart reads everything anew"))
	}
	return nil
}

func sumOf(s store.Sum) string {
	return fmt.Sprintf("%s, %s, checksum %.16s", counted(s.Accounts, "account", "accounts"), counted(s.Tokens, "token", "tokens"), s.Checksum)
}

// codeIf is exit code 1, for what says in its output what is wrong.
func codeIf(bad bool) error {
	if bad {
		return &exitError{code: exitFailed}
	}
	return nil
}
