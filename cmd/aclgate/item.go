package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/policy/store"
)

func (e *env) item() *cobra.Command {
	c := &cobra.Command{
		Use: "item", Short: "Say whose items are, for a backend that knows no accounts", Args: cobra.NoArgs,
		Long: `Say whose items are, where the gateway keeps that itself (scope.owners: store).

The commands work on the database, beside a gateway that runs or not: it obeys
within 20 ms what they change. Only assign asks the gateway something, which
--offline leaves out. Owners in a policy file are read, not written.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(e.itemAssign(), e.itemList(), e.itemImport(), e.itemExport())
	return e.offlineFlag(c)
}

func (e *env) itemAssign() *cobra.Command {
	var cid int64
	c := &cobra.Command{
		Use:   "assign COLLECTION IDS --cid ACCOUNT",
		Short: "Give items to an account",
		Long: `Give items to an account, in one transaction. Items that the backend does not list
twice in a row lose their owner again; where a gateway runs that can be asked
(admin.token_file), a warning says how many of them it does not see, or that it could
not read them. What no token needs it reads for that, and waits up to two seconds.

  aclgate item assign gw/devices 1-100,205 --cid 11`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			spans, err := parseSpans(args[1])
			if err != nil {
				return err
			}
			if cid <= 0 {
				return errors.New("item assign needs --cid ACCOUNT")
			}
			rows := func(yield func(store.Owner) error) error {
				return each(spans, func(id int64) error { return yield(store.Owner{Collection: args[0], ID: id, CID: cid}) })
			}
			missing, asked := e.missing(cmd.Context(), args[0], spans)
			done := fmt.Sprintf("of %s given to account %d", args[0], cid)
			if err := e.putOwners(cmd.Context(), done, rows); err != nil {
				return err
			}
			switch {
			case asked && !missing.Read:
				fmt.Fprintf(e.stderr, "warning: the gateway could not read %s: whether the backend lists these items was not checked; what is not listed twice in a row loses its owner again\n", args[0])
			case missing.Unknown > 0:
				fmt.Fprintf(e.stderr, "warning: the backend does not list %d of them (such as %s): what is not listed twice in a row loses its owner again\n",
					missing.Unknown, runs(missing.First))
			}
			return nil
		},
	}
	c.Flags().Int64Var(&cid, "cid", 0, "the account (required)")
	e.completeFlag(c, "cid", &accountKind)
	return c
}

// missing asks the running gateway which items the backend does not list. Where none runs, or none can be
// asked, nothing is said of that: asked is false.
func (e *env) missing(ctx context.Context, collection string, spans []store.Span) (m store.Missing, asked bool) {
	s, err := e.loadSettings()
	if err != nil || e.offline || !s.Admin.Token.IsSet() || s.Scope.Owners != config.OwnersStore {
		return m, false
	}
	question := store.Missing{Collection: collection}
	for _, span := range spans {
		question.Runs = append(question.Runs, [2]int64{span.First, span.Last})
	}
	body, err := json.Marshal(&question)
	if err != nil {
		return m, false
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	status, text, err := e.askAdmin(ctx, s, http.MethodPost, "/items", body)
	var answer struct{ Result []store.Missing }
	if err != nil || status != http.StatusOK || json.Unmarshal([]byte(text), &answer) != nil || len(answer.Result) != 1 {
		return m, false
	}
	return answer.Result[0], true
}

// maxAssigned bounds the items of one command line: a run is quickly written too long.
const maxAssigned = 10_000_000

// parseSpans reads a list of ids and runs of ids.
func parseSpans(text string) (spans []store.Span, err error) {
	total := int64(0)
	for part := range strings.SplitSeq(text, ",") {
		s, err := store.ParseSpan(part)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", part, err)
		}
		if total += s.Last - s.First + 1; total > maxAssigned || total <= 0 {
			return nil, fmt.Errorf("these are more than %d items", maxAssigned)
		}
		spans = append(spans, s)
	}
	return spans, nil
}

// each calls do with every id of some runs.
func each(spans []store.Span, do func(int64) error) error {
	for _, s := range spans {
		for id := s.First; ; id++ {
			if err := do(id); err != nil {
				return err
			}
			if id == s.Last {
				break
			}
		}
	}
	return nil
}

// noOwnersAsked warns of whose items are where the backend says so.
const noOwnersAsked = "warning: scope.owners is not store: whose items are, the backend says, and nobody asks for this"

// itemCollections returns a function that says whether items of a collection have accounts: an error
// with the name that was meant, or nil.
func itemCollections(cat *policy.Catalogue) func(uri string) error {
	known := map[string]bool{}
	var all []string
	for _, c := range cat.Collections {
		if c.Scoped && c.IDs == policy.IDInt {
			known[c.URI] = true
			all = append(all, c.URI)
		}
	}
	return func(uri string) error {
		if known[uri] {
			return nil
		}
		text := fmt.Sprintf("no collection of items with accounts is called %q", uri)
		if near, found := strict.Nearest(uri, all); found {
			text += fmt.Sprintf(": did you mean %q?", near)
		}
		return errors.New(text)
	}
}

// putOwners writes whose items are, all of it or nothing, and says of how many items what was done.
func (e *env) putOwners(ctx context.Context, done string, rows func(func(store.Owner) error) error) error {
	return e.withDatabase(ctx, func(s *config.Settings, db app.Database) error {
		cat, err := routes.Load(s.Policy.RoutesFile.Path)
		if err != nil {
			return badSettings(err)
		}
		if s.Scope.Owners != config.OwnersStore {
			fmt.Fprintln(e.stderr, noOwnersAsked)
		}
		known := itemCollections(cat)
		n, progress := 0, e.progress()
		_, err = store.Write(ctx, app.LiveOptions(s, db), "operator", func(tx *store.Tx) error {
			return rows(func(o store.Owner) error {
				if err := known(o.Collection); err != nil {
					return err
				}
				n++
				progress()
				return tx.PutOwner(o)
			})
		})
		if err != nil {
			if strings.Contains(err.Error(), "no account has the id") {
				err = fmt.Errorf("%w: %s", err, e.howAccount())
			}
			return err
		}
		fmt.Fprintln(e.stdout, counted(n, "item", "items"), done)
		return nil
	})
}

func (e *env) itemImport() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Read whose items are from a CSV file: collection,id,cid",
		Long: `Read whose items are from a CSV file with the columns collection, id and cid, all of
it or nothing; - is standard input. A first line with these names is skipped.
What the file does not name stays as it is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := io.Reader(os.Stdin)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return failed(err)
				}
				defer f.Close()
				in = f
			}
			return e.putOwners(cmd.Context(), "given to the accounts that "+args[0]+" names", func(yield func(store.Owner) error) error { return readOwners(in, args[0], yield) })
		},
	}
}

// readOwners reads rows of CSV.
func readOwners(in io.Reader, name string, yield func(store.Owner) error) error {
	r := csv.NewReader(bufio.NewReaderSize(in, 1<<20))
	r.FieldsPerRecord, r.ReuseRecord = 3, true
	for first := true; ; first = false {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if first && row[0] == "collection" && row[1] == "id" && row[2] == "cid" {
			continue
		}
		id, okID := strict.ParseID(row[1])
		cid, okCID := strict.ParseID(row[2])
		if !okID || !okCID {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%s:%d: expected a collection and two ids, found %q", name, line, strings.Join(row, ","))
		}
		if err := yield(store.Owner{Collection: strings.Clone(row[0]), ID: id, CID: cid}); err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
}

func (e *env) itemExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Print whose items are as CSV: collection,id,cid",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := bufio.NewWriterSize(e.stdout, 1<<20)
			if _, err := out.WriteString("collection,id,cid\n"); err != nil {
				return failed(err)
			}
			line := make([]byte, 0, 64)
			err := e.eachOwner(cmd.Context(), func(o store.Owner) error {
				line = append(append(line[:0], o.Collection...), ',')
				line = append(strconv.AppendInt(line, o.ID, 10), ',')
				_, err := out.Write(append(strconv.AppendInt(line, o.CID, 10), '\n'))
				return err
			})
			if err != nil {
				return err
			}
			return failed(out.Flush())
		},
	}
}

// eachOwner yields what the store of the settings says of items.
func (e *env) eachOwner(ctx context.Context, yield func(store.Owner) error) error {
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	if s.Scope.Owners != config.OwnersStore {
		fmt.Fprintln(e.stderr, noOwnersAsked)
	}
	if s.Store.Kind == config.StoreFile {
		pol, err := policyInForce(s)
		if err != nil {
			return err
		}
		for collection, spans := range pol.Owners {
			for _, span := range spans {
				err = each([]store.Span{span}, func(id int64) error { return yield(store.Owner{Collection: collection, ID: id, CID: span.CID}) })
				if err != nil {
					return failed(err)
				}
			}
		}
		return nil
	}
	return e.withDatabase(ctx, func(_ *config.Settings, db app.Database) error {
		return db.View(ctx, func(r store.Reader) error {
			return r.Each(store.Items, func(row store.Row) error {
				var o store.Owner
				if err := json.Unmarshal(row.Doc, &o); err != nil || !o.IsItem() {
					return err
				}
				return yield(o)
			})
		})
	})
}

// ownedLine is what an account has of a collection.
type ownedLine struct {
	Collection string `json:"collection"`
	CID        int64  `json:"cid"`
	Count      int    `json:"count"`
	IDs        string `json:"ids"` // as item assign takes them: 1-100,205
}

func (e *env) itemList() *cobra.Command {
	var output outputFlag
	c := &cobra.Command{
		Use:   "list [COLLECTION]",
		Short: "List whose items are",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lines, err := e.owned(cmd.Context(), args)
			if err != nil {
				return err
			}
			if output.json() {
				return e.printJSON(lines)
			}
			for _, l := range lines {
				fmt.Fprintf(e.stdout, "%s\taccount %d\t%s\t%s\n", l.Collection, l.CID, counted(l.Count, "item", "items"), l.IDs)
			}
			return nil
		},
	}
	output.add(c)
	return c
}

// owned returns what accounts have, of all collections or of the one that is named.
func (e *env) owned(ctx context.Context, of []string) ([]ownedLine, error) {
	type owner struct {
		collection string
		cid        int64
	}
	all := map[owner][]int64{}
	err := e.eachOwner(ctx, func(o store.Owner) error {
		if len(of) == 0 || of[0] == o.Collection {
			key := owner{o.Collection, o.CID}
			all[key] = append(all[key], o.ID)
		}
		return nil
	})
	lines := []ownedLine{}
	for key, ids := range all {
		lines = append(lines, ownedLine{key.collection, key.cid, len(ids), runs(ids)})
	}
	slices.SortFunc(lines, func(a, b ownedLine) int {
		return cmp.Or(cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.CID, b.CID))
	})
	return lines, err
}

// runs writes ids as assign takes them.
func runs(ids []int64) string {
	slices.Sort(ids)
	var parts []string
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		parts = append(parts, store.Span{First: ids[i], Last: ids[j]}.String())
		i = j + 1
	}
	return strings.Join(parts, ",")
}
