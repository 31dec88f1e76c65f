package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"aclgate/bench/storebench"
	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy/routes"
)

func (e *env) benchStore() *cobra.Command {
	f := benchStoreFlags{tokens: 1_000_000}
	c := &cobra.Command{
		Use:   "store",
		Short: "Fill a database, load it and change it: figures beside their targets",
		Long: `Fill a SQLite database in a folder of its own, read it as a gateway does, and
change it: one token, ten thousand in one transaction, and until what is dead is
copied away. Prints a table of what was measured beside what it should be for a
million tokens. It takes about two minutes and a gigabyte of disk.

With --postgres URL it does the same in a PostgreSQL database without a store,
which it takes away again; its login is a superuser, or in the three roles that
"aclgate store roles" makes. Then it measures how long a change takes from its
commit to the last of --replicas gateways. URL may name a pooler.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.tokens < 1:
				return errors.New("--tokens: expected a number from 1 on")
			case f.replicas < 1 || f.replicas > 100:
				return errors.New("--replicas: expected 1 to 100")
			}
			return failed(e.runBenchStore(cmd.Context(), f))
		},
	}
	f.output.add(c)
	c.Flags().IntVar(&f.tokens, "tokens", f.tokens, "how many")
	c.Flags().StringVar(&f.postgres, "postgres", "", "DSN of an empty PostgreSQL database, in the place of SQLite")
	c.Flags().IntVar(&f.replicas, "replicas", 3, "number of gateways that follow the changes, with --postgres")
	return c
}

// benchStoreFlags are what the flags of bench store set.
type benchStoreFlags struct {
	tokens, replicas int
	postgres         string
	output           outputFlag
}

// settings writes settings with the database that is measured.
func (f *benchStoreFlags) settings(folder string) (*config.Settings, error) {
	text := "store: {kind: sqlite, path: bench.db}\n"
	if f.postgres != "" {
		text = "store: {kind: postgres, url_file: dsn, admin_url_file: dsn}\n"
	}
	file := filepath.Join(folder, "aclgate.yaml")
	err := errors.Join(os.WriteFile(filepath.Join(folder, "dsn"), []byte(f.postgres), 0o600), os.WriteFile(file, []byte(text), 0o600))
	if err != nil {
		return nil, err
	}
	s, faults := config.Load(file)
	return s, faults.Err()
}

// open makes the database that is measured. The function that it returns takes it away.
func (f *benchStoreFlags) open(ctx context.Context, e *env, folder string) (app.Database, func(), error) {
	s, err := f.settings(folder)
	if err != nil {
		return nil, nil, err
	}
	drop := func() {}
	if f.postgres == "" {
		_, err = app.Migrate(ctx, s, "")
	} else if err = app.NewStore(ctx, s); err == nil {
		drop = func() { e.dropStore(s) }
	}
	if err != nil {
		return nil, nil, err
	}
	db, err := app.OpenDatabase(ctx, s)
	if err != nil {
		drop()
		return nil, nil, err
	}
	return db, func() { db.Close(); drop() }, nil
}

func (e *env) runBenchStore(ctx context.Context, f benchStoreFlags) error {
	folder, err := os.MkdirTemp("", "aclgate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, stop := untilSignal(ctx, nil) // the folder has to be taken away
	defer stop()
	engine, end, err := f.open(ctx, e, folder)
	if err != nil {
		return err
	}
	defer end()
	cat, err := routes.Default()
	if err != nil {
		return err
	}
	const columns = "%-52s %16s %10s\n"
	table := e.stdout
	if f.output.json() {
		table = e.stderr
	}
	fmt.Fprintf(table, "%d tokens of two entries and three ids, in %d accounts\n\n"+columns, f.tokens, storebench.Accounts, "", "measured", "target")
	var figures []storebench.Figure
	replicas := f.replicas
	if f.postgres == "" {
		replicas = 0 // there is one
	}
	err = storebench.Run(ctx, storebench.Options{Engine: engine, Catalogue: cat, Tokens: f.tokens, Replicas: replicas, Row: func(r storebench.Figure) {
		fmt.Fprintf(table, columns, r.What, r.Measured, r.Target)
		figures = append(figures, r)
	}})
	if err == nil && f.output.json() {
		err = e.printJSON(figures)
	}
	return err
}
