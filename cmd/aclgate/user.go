package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
)

func (e *env) user() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Users of realms",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(e.userHash())
	return c
}

func (e *env) userHash() *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Read a password from standard input and print its hash, for password_hash of the policy file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
			if err != nil && line == "" {
				return fmt.Errorf("cannot read a password from standard input: %w", err)
			}
			password := strings.TrimRight(line, "\r\n")
			cost := config.Defaults().Realms.BcryptCost
			if s, faults := config.Load(e.file); faults.Err() == nil {
				cost = s.Realms.BcryptCost
			}
			verifier, err := app.HashPassword(password, cost)
			if err != nil {
				return failed(err)
			}
			_, err = fmt.Fprintln(e.stdout, verifier)
			return err
		},
	}
}
