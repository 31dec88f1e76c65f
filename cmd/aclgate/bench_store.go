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
	"aclgate/policy/routes"
)

func (e *env) benchStore() *cobra.Command {
	tokens := 1_000_000
	var output outputFlag
	c := &cobra.Command{
		Use:   "store",
		Short: "Fill a SQLite database, load it and change it: figures beside their targets",
		Long: `Fill a SQLite database in a folder of its own, read it as a gateway does, and
change it: one token, ten thousand in one transaction, and until what is dead is
copied away. Prints a table of what was measured beside what it should be for a
million tokens. It takes about two minutes and a gigabyte of disk.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tokens < 1 {
				return errors.New("--tokens: expected a number from 1 on")
			}
			return failed(e.runBenchStore(cmd.Context(), tokens, output))
		},
	}
	output.add(c)
	c.Flags().IntVar(&tokens, "tokens", tokens, "how many")
	return c
}

func (e *env) runBenchStore(ctx context.Context, tokens int, output outputFlag) error {
	folder, err := os.MkdirTemp("", "aclgate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, stop := untilSignal(ctx, nil) // the folder has to be taken away
	defer stop()
	engine, err := app.NewDatabase(ctx, filepath.Join(folder, "bench.db"))
	if err != nil {
		return err
	}
	defer engine.Close()
	cat, err := routes.Default()
	if err != nil {
		return err
	}
	const columns = "%-52s %16s %10s\n"
	table := e.stdout
	if output.json() {
		table = e.stderr
	}
	fmt.Fprintf(table, "%d tokens of two entries and three ids, in %d accounts\n\n"+columns, tokens, storebench.Accounts, "", "measured", "target")
	var figures []storebench.Figure
	err = storebench.Run(ctx, storebench.Options{Engine: engine, Catalogue: cat, Tokens: tokens, Row: func(f storebench.Figure) {
		fmt.Fprintf(table, columns, f.What, f.Measured, f.Target)
		figures = append(figures, f)
	}})
	if err == nil && output.json() {
		err = e.printJSON(figures)
	}
	return err
}
