package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"
)

// env is what every command shares.
type env struct {
	file    string // -c
	offline bool   // of the commands that administer: work on the database itself
	stdout  io.Writer
	stderr  io.Writer

	patience time.Duration // how long a command may be silent, whoever reads; 0: a second, if a person does
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	return newRootOf(&env{stdout: stdout, stderr: stderr})
}

func newRootOf(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "aclgate",
		Short: "An API gateway that narrows requests to the items that the caller may touch",
		Long: `aclgate stands in front of a telematics REST API that speaks the flespi
conventions and enforces who may touch which item.

Start with "aclgate demo". Put it in front of your own backend with
"aclgate init --upstream URL", "aclgate check" and "aclgate serve".`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.PersistentFlags().StringVarP(&e.file, "config", "c", "aclgate.yaml", "settings file")
	root.AddCommand(e.demo(), e.init(), e.serve(), e.check(), e.explain(), e.token(), e.realm(), e.user(), e.role(), e.item(), e.store(), e.account(), e.limit(), e.grant(), e.undelete(), e.changes(), e.routes(),
		e.reload(), e.health(), e.metrics(), e.test(), e.diff(), e.why(), e.audit(), e.schema(), e.bench(), e.version())
	root.SetFlagErrorFunc(flagError)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.RunE = help
		}
	}
	strictUsage(root)
	return root
}
