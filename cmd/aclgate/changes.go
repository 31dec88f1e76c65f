package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy/store"
)

func (e *env) storeAccept() *cobra.Command {
	return &cobra.Command{
		Use:   "accept",
		Short: "Say that a database which went back to an older state is right",
		Long: `Say that a database which went back to an older state, by a failover or a backup
that was put back, is right. The running gateway answers 503 to tokens that it saw
changed in the revisions that are lost, until they are written again, or this is
said. Say it to each gateway, and only after what was revoked is revoked again:
the tokens in doubt then do what the database says.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer struct{ Accepted int }
			err := e.storeAnswer(cmd.Context(), http.MethodPost, "/store/accept", nil, &answer)
			if err == nil {
				fmt.Fprintf(e.stdout, "%d %s not in doubt any more\n", answer.Accepted, plural(answer.Accepted, "record is", "records are"))
			}
			return err
		},
	}
}

func (e *env) changes() *cobra.Command {
	var token string
	var after int64
	var output outputFlag
	c := &cobra.Command{
		Use:   "changes",
		Short: "Print who changed which record in the database, and when",
		Long: `Print the history of the database, oldest first: revision, time, who, the record,
the names of the fields that changed, and how. Who is the id of a token, "user" and
an id, "operator", or "db" for a hand in the database; how is its account, the acting one (cid), the
decision and the address. With --output json each line is one object, with what
was before and what after, with digests as their first 8 digits. --offline reads the
database itself, where no gateway runs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, q := "/store/changes?", store.ChangeQuery{Limit: pageRows}
			if token != "" {
				id, ok := strict.ParseID(token)
				if !ok {
					return fmt.Errorf("--token: expected the id of a token, a number from 1 on, found %q", token)
				}
				path += "token=" + token + "&"
				q.Table, q.ID = store.Tokens, id
			}
			if !e.offline {
				return e.printChanges(after, output.json(), func(after int64) ([]json.RawMessage, error) {
					return e.storeResults(cmd.Context(), http.MethodGet, fmt.Sprintf("%safter=%d", path, after), nil)
				})
			}
			return e.withDatabase(cmd.Context(), func(_ *config.Settings, db app.Database) error {
				return e.printChanges(after, output.json(), func(after int64) ([]json.RawMessage, error) {
					q.After = after
					return app.History(cmd.Context(), db, q)
				})
			})
		},
	}
	c.Flags().StringVar(&token, "token", "", "of the token with this id alone")
	c.Flags().Int64Var(&after, "after", 0, "from the revision behind this one on")
	output.addJSON(c)
	return e.offlineFlag(c)
}

// historyLine is a change as the admin listener answers it.
type historyLine struct {
	Revision      int64
	Time          time.Time
	Actor, Table  string
	How           string
	IDs           []int64
	Before, After json.RawMessage
}

// printChanges prints the history page by page: next returns what is behind a revision.
func (e *env) printChanges(after int64, asJSON bool, next func(after int64) ([]json.RawMessage, error)) error {
	for {
		lines, err := next(after)
		if err != nil || len(lines) == 0 {
			return err
		}
		for _, text := range lines {
			var c historyLine
			if err := json.Unmarshal(text, &c); err != nil {
				return failed(err)
			}
			after = c.Revision
			if asJSON {
				fmt.Fprintf(e.stdout, "%s\n", text)
				continue
			}
			c.print(e.stdout)
		}
	}
}

func (c *historyLine) print(w io.Writer) {
	fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", c.Revision, c.Time.Format(time.RFC3339), c.Actor, c.record(), c.what(), c.How)
}

// record names the record, an owner by its item: the number of its row says nothing to anybody.
func (c *historyLine) record() string {
	for _, doc := range []json.RawMessage{c.After, c.Before} {
		var item struct {
			Collection string
			ID         int64
		}
		if json.Unmarshal(doc, &item) == nil && item.Collection != "" {
			return fmt.Sprintf("%s/%d", item.Collection, item.ID)
		}
	}
	return c.Table + "/" + commas(c.IDs)
}

// what says what became of the record.
func (c *historyLine) what() string {
	var before, after map[string]any
	switch {
	case c.Before == nil && c.After == nil:
		return "changed"
	case c.Before == nil:
		return "new"
	case c.After == nil:
		return "deleted"
	case json.Unmarshal(c.Before, &before) != nil || json.Unmarshal(c.After, &after) != nil:
		return "changed"
	}
	var fields []string
	for name := range maps.Keys(before) {
		if !reflect.DeepEqual(before[name], after[name]) {
			fields = append(fields, name)
		}
	}
	for name := range after {
		if _, was := before[name]; !was {
			fields = append(fields, name)
		}
	}
	if len(fields) == 0 {
		return "written as it was"
	}
	slices.Sort(fields)
	return strings.Join(fields, ", ")
}
