package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// undeletable are the kinds of records that come back, by their words. Tokens never do: a copy of the
// database must revive no credential.
var undeletable = map[string]store.Table{
	"account": store.Accounts, "limit": store.Limits, "grant": store.Grants, "realm": store.Realms, "user": store.Users, "role": store.Roles,
}

func (e *env) undelete() *cobra.Command {
	var output outputFlag
	c := &cobra.Command{
		Use:   "undelete [KIND ID]",
		Short: "Put back a record that was deleted in the last 30 days, or list them",
		Long: `Put an account, limit, grant, realm, user or role back that was deleted in the last
30 days, under the id that it had. Without arguments: list what can come back.

Tokens and passwords never come back: make others. Links of a grant do not either.
What the record names has to be there: put an account back before its limits. It
works on the database, beside a gateway that runs or not.

  aclgate undelete account 112`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return errors.New("expected a kind and an id, or nothing")
			}
			return nil
		},
		ValidArgs: slices.Sorted(maps.Keys(undeletable)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return e.listDeleted(cmd.Context(), output)
			}
			table, known := undeletable[args[0]]
			id, ok := strict.ParseID(args[1])
			switch {
			case args[0] == "token":
				return errors.New("tokens never come back: make another with aclgate token new")
			case !known:
				return fmt.Errorf("expected one of %s, found %q", strings.Join(slices.Sorted(maps.Keys(undeletable)), ", "), args[0])
			case !ok:
				return fmt.Errorf("expected the id of a record, found %q", args[1])
			}
			return e.putBack(cmd.Context(), args[0], table, id)
		},
	}
	output.add(c)
	return e.offlineFlag(c) // it never asks a gateway: whoever says so all the same is right
}

// putBack puts a record back whose references are all there.
func (e *env) putBack(ctx context.Context, word string, table store.Table, id int64) error {
	return e.withDatabase(ctx, func(s *config.Settings, db app.Database) error {
		var row store.Row
		_, err := store.Write(ctx, app.LiveOptions(s, db), "operator", func(tx *store.Tx) error {
			if _, err := tx.Get(table, id); err == nil {
				return fmt.Errorf("%s %d is there", word, id)
			}
			err := tx.Undelete(table, id)
			if errors.Is(err, store.ErrNoRow) {
				return fmt.Errorf("there is no %s %d that was deleted in the last 30 days: aclgate undelete lists what there is", word, id)
			}
			if err != nil {
				return err
			}
			if row, err = tx.Get(table, id); err != nil {
				return err
			}
			return references(tx, word, row)
		})
		if err == nil {
			fmt.Fprintln(e.stdout, "put back", (&recordKind{name: "a " + word}).named(row.Doc))
		}
		return err
	})
}

// references looks for what a record names.
func references(tx *store.Tx, word string, row store.Row) error {
	doc, err := record.Parse(row.Doc)
	if err != nil {
		return err
	}
	for _, named := range []struct {
		field, word string
		table       store.Table
	}{
		{"parent", "account", store.Accounts}, {"cid", "account", store.Accounts}, {"limit_id", "limit", store.Limits},
		{"consultancy_account_id", "account", store.Accounts}, {"realm_id", "realm", store.Realms},
	} {
		n := record.NumberOf(doc, named.field)
		if n == 0 {
			continue
		}
		if _, err := tx.Get(named.table, n); errors.Is(err, store.ErrNoRow) {
			return fmt.Errorf("%s %d names %s %d, which is not there: put that back first", word, row.ID, named.word, n)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// deletedRow is a record that can come back.
type deletedRow struct {
	Kind    string    `json:"kind"`
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Deleted time.Time `json:"deleted"`
}

// listDeleted prints what can come back.
func (e *env) listDeleted(ctx context.Context, output outputFlag) error {
	rows := []deletedRow{}
	err := e.withDatabase(ctx, func(s *config.Settings, db app.Database) error {
		return db.View(ctx, func(r store.Reader) error {
			for _, word := range slices.Sorted(maps.Keys(undeletable)) {
				err := r.EachDeleted(undeletable[word], func(d store.Deleted) error {
					var doc struct{ Name string }
					if err := json.Unmarshal(d.Doc, &doc); err != nil {
						return nil // of a broken row there is no name, and nothing to put back
					}
					rows = append(rows, deletedRow{word, d.ID, doc.Name, d.At.UTC()})
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if output.json() {
		return json.NewEncoder(e.stdout).Encode(rows)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tID\tNAME\tDELETED\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t\n", r.Kind, r.ID, printable(r.Name), r.Deleted.Format(time.RFC3339))
	}
	return w.Flush()
}
