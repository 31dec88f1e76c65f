package main

import (
	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/policy/store"
)

// schemas are the JSON Schemas of our files.
var schemas = map[string]func() []byte{"settings": config.Schema, "policy": store.Schema}

func (e *env) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema settings|policy",
		Short: "Print the JSON Schema of a file, with which an editor completes and checks it",
		Long: `Print the JSON Schema of aclgate.yaml or policy.yaml. An editor with a YAML
language server completes keys and marks faults by it, where the first line of
the file names it:

  # yaml-language-server: $schema=aclgate.schema.json

What a schema cannot say, "aclgate check" does.

  aclgate schema settings > aclgate.schema.json`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"settings", "policy"},
		RunE: func(_ *cobra.Command, args []string) error {
			_, err := e.stdout.Write(schemas[args[0]]())
			return failed(err)
		},
	}
}
