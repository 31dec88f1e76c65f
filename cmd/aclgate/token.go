package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"aclgate/policy"
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

// sample returns a token to be edited: it may read one device for a year.
func sample(digest policy.Digest) []byte {
	return store.TokenYAML(&store.Record{
		Token: policy.Token{
			ID: 1, Digest: digest, CID: 1, Info: "who uses it and for what", Enabled: true, Access: policy.ACLAccess,
			Expire: time.Now().AddDate(1, 0, 0).Truncate(24 * time.Hour).Unix(),
		},
		Entries: []policy.Entry{{
			URI: "gw/devices", Methods: policy.Methods(policy.GET), Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{7}),
		}},
	})
}

func (e *env) newToken() error {
	key, digest := store.NewKey()
	fmt.Fprintf(e.stdout, "# The key. It is not stored anywhere: keep it now.\n# %s\n\n%s", key, sample(digest))
	return nil
}
