package main

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionTime bounds how long a shell waits for ids.
const completionTime = 2 * time.Second

// tokenKind is what completion has to know of tokens; their commands are their own.
var tokenKind = recordKind{collection: "tokens", name: "a token", fields: "id,info"}

// completeIDs has the shell offer the ids of records of the running gateway, with their names beside
// them: of one kind for each argument.
func (e *env) completeIDs(kinds ...*recordKind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(kinds) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.idsOf(cmd.Context(), kinds[len(args)]), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag does so for the value of a flag.
func (e *env) completeFlag(c *cobra.Command, flag string, k *recordKind) {
	complete := func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return e.idsOf(cmd.Context(), k), cobra.ShellCompDirectiveNoFileComp
	}
	if err := c.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag is not there, or has one: a mistake of the program
	}
}

// completeRoles has the shell offer the names of roles for the value of a flag.
func (e *env) completeRoles(c *cobra.Command, flag string) {
	err := c.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		for _, role := range e.idsOf(cmd.Context(), &roleKind) {
			if _, name, found := strings.Cut(role, "\t"); found {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is not there, or has one: a mistake of the program
	}
}

// completeWords has the shell offer these words for the value of a flag.
func completeWords(c *cobra.Command, flag string, words ...cobra.Completion) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is not there, or has one: a mistake of the program
	}
}

// idsOf returns ids with names. A shell shows no errors, so that there are none: whatever is wrong, nothing
// is offered.
func (e *env) idsOf(ctx context.Context, k *recordKind) (all []cobra.Completion) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	quiet := *e
	quiet.stdout, quiet.stderr = io.Discard, io.Discard
	rows, err := quiet.rowsToComplete(ctx, k)
	if err != nil {
		return nil
	}
	for _, text := range rows {
		var row struct {
			ID         int64
			Name, Info string
		}
		if json.Unmarshal(text, &row) == nil {
			all = append(all, cobra.CompletionWithDesc(strconv.FormatInt(row.ID, 10), printable(row.Name+row.Info)))
		}
	}
	return all
}

func (e *env) rowsToComplete(ctx context.Context, k *recordKind) ([]json.RawMessage, error) {
	if k == &tokenKind {
		return e.tokens(ctx) // a policy file has them, too
	}
	return e.rows(ctx, k.collection, "all", url.Values{"fields": {"id,name"}})
}
