package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
)

// offlineFlag lets the commands of a group work on the database itself.
func (e *env) offlineFlag(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().BoolVar(&e.offline, "offline", false, "work on the database itself, and ask no gateway")
	return c
}

// askDatabase asks the administration API over the database itself.
func (e *env) askDatabase(ctx context.Context, method, path string, body []byte) (status int, text string, err error) {
	if strings.Contains(path, "wait=true") {
		return 0, "", errors.New("--wait asks a gateway which others obey: it does not go with --offline")
	}
	err = e.withDatabase(ctx, func(s *config.Settings, db app.Database) error {
		o, err := app.NewOffline(s, db)
		if err != nil {
			return err
		}
		answer := []byte(nil)
		status, answer, err = o.Ask(ctx, method, path, body)
		text = string(answer)
		return err
	})
	return status, text, err
}
