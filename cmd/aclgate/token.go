package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"aclgate/policy/store"
)

func (e *env) token() *cobra.Command {
	token := &cobra.Command{Use: "token", Short: "Make tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	token.AddCommand(&cobra.Command{
		Use:   "new",
		Short: "Print a new key, once, and the YAML of its token",
		Long: `Print a new key of 64 characters and the YAML of a token for policy.yaml.

The key is shown here and nowhere else: the policy holds its SHA-256 digest.
Give the key to whoever calls, put the YAML under "tokens:", set id, cid and
access, and run "aclgate check".`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.newToken() },
	})
	return token
}

func (e *env) newToken() error {
	key, digest := store.NewKey()
	fmt.Fprintf(e.stdout, "# The key. It is not stored anywhere: keep it now.\n# %s\n\n%s", key, store.TokenYAML(digest))
	return nil
}
