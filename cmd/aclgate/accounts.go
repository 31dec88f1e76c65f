package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/policy/record"
)

// recordKind is a kind of managed record that commands list, show and delete alike.
type recordKind struct {
	collection string // below /platform
	name       string // of one, in messages
	kind       *record.Kind
	fields     string // of a list
	columns    []column
}

var accountKind = recordKind{"subaccounts", "an account", record.Subaccounts, "id,cid,name,limit_id,enabled,blocked", []column{
	field("ID", "id"), field("PARENT", "cid"), field("NAME", "name"), field("LIMIT", "limit_id"),
	{"STATE", func(row map[string]any) string {
		switch number(row, "blocked") {
		case 1:
			return "blocked by a limit"
		case 2:
			if enabled, said := row["enabled"].(bool); said && !enabled {
				return "disabled"
			}
			return "blocked from above"
		}
		return "enabled"
	}},
}}

var limitKind = recordKind{"limits", "a limit", record.Limits, strings.Join(record.Limits.Readable(), ","), []column{
	field("ID", "id"), field("ACCOUNT", "cid"), field("NAME", "name"),
	{"BOUNDS", func(row map[string]any) string {
		var said []string
		for _, b := range record.Bounds() {
			if n := number(row, b.Name); n >= 0 {
				said = append(said, b.Name+"="+strconv.FormatInt(n, 10))
			}
		}
		if len(said) == len(record.Bounds()) {
			return "all of zero or more: see aclgate limit show"
		}
		return strings.Join(said, " ")
	}},
}}

func (e *env) account() *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Make, show, change, block and delete accounts", Args: cobra.NoArgs,
		Long: `Make, show, change, block and delete accounts. These ask the admin listener of the
running gateway. With a policy file, list and show say what it has, and the others
where to edit. Accounts are made and deleted only with scope.owners store: in front
of a backend that knows accounts they are the backend's.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(e.accountWrite("new"), e.recordList(&accountKind), e.recordShow(&accountKind), e.accountWrite("edit"), e.accountDelete(),
		e.recordSwitch(&accountKind, "enable", true, "Let an account, and all below it, be used again"),
		e.recordSwitch(&accountKind, "disable", false, "Block an account and all below it, at once"))
	return e.offlineFlag(c)
}

func (e *env) limit() *cobra.Command {
	c := &cobra.Command{Use: "limit", Short: "Make, show, change and delete limits, which bound accounts", Args: cobra.NoArgs,
		Long: `Make, show, change and delete limits. A limit belongs to the account that made it,
and bounds accounts strictly below that one: aclgate account edit 11 --limit 5.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(e.limitWrite("new"), e.recordList(&limitKind), e.recordShow(&limitKind), e.limitWrite("edit"), e.recordDelete(&limitKind, nil))
	return e.offlineFlag(c)
}

func (e *env) recordList(k *recordKind) *cobra.Command {
	var output outputFlag
	var cid int64
	c := &cobra.Command{
		Use:   "list",
		Short: "Print one line for each",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"fields": {k.fields}}
			if cid != 0 {
				query.Set("cid", strconv.FormatInt(cid, 10))
			}
			rows, err := e.rows(cmd.Context(), k.collection, "all", query)
			if err != nil {
				return err
			}
			return e.printRows(rows, output, k.columns)
		},
	}
	output.add(c)
	c.Flags().Int64Var(&cid, "cid", 0, "as this account sees them")
	e.completeFlag(c, "cid", &accountKind)
	return c
}

func (e *env) recordShow(k *recordKind) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Print all fields as JSON",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(k),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath(k.collection, k.name, args[0], false)
			if err != nil {
				return err
			}
			return e.showRecord(cmd.Context(), path, k.kind)
		},
	}
}

func (e *env) recordDelete(k *recordKind, query func() string) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "Delete " + k.name,
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(k),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath(k.collection, k.name, args[0], false)
			if err != nil {
				return err
			}
			if query != nil {
				path += query()
			}
			return e.alter(cmd.Context(), "deleted", k, http.MethodDelete, path, nil)
		},
	}
}

func (e *env) accountDelete() *cobra.Command {
	var release bool
	c := e.recordDelete(&accountKind, func() string {
		if release {
			return "?items=release"
		}
		return ""
	})
	c.Long = `Delete an account. Its tokens and limits end with it. Its items stay at the backend
and wait at the roots, which has to be said with --release. Accounts below it have to
be deleted first.`
	c.Flags().BoolVar(&release, "release", false, "leave its items to the roots")
	return c
}

func (e *env) recordSwitch(k *recordKind, verb string, on bool, short string) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use:   verb + " ID",
		Short: short,
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(k),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath(k.collection, k.name, args[0], wait)
			if err != nil {
				return err
			}
			return e.alter(cmd.Context(), verb+"d", k, http.MethodPut, path, fmt.Appendf(nil, `{"enabled":%t}`, on))
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until every gateway obeys")
	return c
}

func (e *env) accountWrite(verb string) *cobra.Command {
	var name, email, file string
	var set setFlag
	var parent, limit, consultancy int64
	c := &cobra.Command{
		Use: verb, Short: "Make an account, and print its id", Args: cobra.NoArgs,
		Long: `Make an account below another one, or a root without --parent.

  aclgate account new --parent 1 --name 'ACME Fleet' --limit 5`,
	}
	if verb == "edit" {
		c.Use, c.Short, c.Args = "edit ID", "Change fields of an account", cobra.ExactArgs(1)
		c.ValidArgsFunction = e.completeIDs(&accountKind)
		c.Long = "Change fields of an account. 0 for --limit or --consultancy takes that away."
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		fields, err := set.fields()
		if err != nil {
			return err
		}
		for flag, value := range map[string]any{"name": name, "email": email} {
			if cmd.Flags().Changed(flag) {
				fields[flag] = value
			}
		}
		for flag, id := range map[string]int64{"limit": limit, "consultancy": consultancy} {
			field := map[string]string{"limit": "limit_id", "consultancy": "consultancy_account_id"}[flag]
			if cmd.Flags().Changed(flag) {
				if fields[field] = any(id); id == 0 {
					fields[field] = nil
				}
			}
		}
		return e.writeRecord(cmd, &accountKind, args, parent, file, fields)
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what people call it")
	f.StringVar(&email, "email", "", "whom to write to")
	f.Int64Var(&limit, "limit", 0, "the limit that bounds it, made by an account above it")
	f.Int64Var(&consultancy, "consultancy", 0, "the account that consults it")
	f.StringVar(&file, "json", "", "file with further fields, - for stdin")
	if verb == "new" {
		f.Int64Var(&parent, "parent", 0, "the account right above it (default: none, a root)")
		e.completeFlag(c, "parent", &accountKind)
	}
	set.add(c, accountKind.kind, verb == "new")
	e.completeFlag(c, "limit", &limitKind)
	e.completeFlag(c, "consultancy", &accountKind)
	return c
}

func (e *env) limitWrite(verb string) *cobra.Command {
	var name, description, file string
	var cid int64
	var set setFlag
	c := &cobra.Command{
		Use: verb, Short: "Make a limit, and print its id", Args: cobra.NoArgs,
		Long: `Make a limit of an account, for those below it.

  aclgate limit new --cid 1 --name small --set api_calls=600 --set devices_count=100`,
	}
	if verb == "edit" {
		c.Use, c.Short, c.Args = "edit ID", "Change fields of a limit", cobra.ExactArgs(1)
		c.ValidArgsFunction = e.completeIDs(&limitKind)
		c.Long = "Change fields of a limit. A bound of -1 is none."
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if verb == "new" && cid == 0 {
			return errors.New("limit new needs --cid ACCOUNT, the account that it belongs to")
		}
		fields, err := set.fields()
		if err != nil {
			return err
		}
		for flag, value := range map[string]any{"name": name, "description": description} {
			if cmd.Flags().Changed(flag) {
				fields[flag] = value
			}
		}
		return e.writeRecord(cmd, &limitKind, args, cid, file, fields)
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what people call it")
	f.StringVar(&description, "description", "", "what it is for")
	f.StringVar(&file, "json", "", "file with further fields, - for stdin")
	set.add(c, limitKind.kind, verb == "new")
	if verb == "new" {
		f.Int64Var(&cid, "cid", 0, "the account that it belongs to (required)")
		e.completeFlag(c, "cid", &accountKind)
	}
	return c
}

// writeRecord makes a record for an account, and prints its id, or changes the one that args names.
func (e *env) writeRecord(cmd *cobra.Command, k *recordKind, args []string, cid int64, file string, fields map[string]any) error {
	body, err := bodyOf(cmd, file, fields)
	if err != nil {
		return err
	}
	if string(body) == "{}" {
		return errors.New("nothing was said of " + k.name + ": see " + cmd.CommandPath() + " --help")
	}
	if len(args) == 1 {
		path, err := recordPath(k.collection, k.name, args[0], false)
		if err != nil {
			return err
		}
		return e.alter(cmd.Context(), "changed", k, http.MethodPut, path, body)
	}
	path := k.collection
	if cid != 0 {
		path += "?cid=" + strconv.FormatInt(cid, 10)
	}
	a, err := e.platform(cmd.Context(), http.MethodPost, path, body)
	if err != nil {
		return err
	}
	var made struct{ ID int64 }
	if err := json.Unmarshal(a.Result[0], &made); err != nil {
		return failed(err)
	}
	fmt.Fprintln(e.stdout, made.ID)
	return nil
}

// bodyOf returns the body of a change: the fields of a JSON file, - for stdin, and those that flags
// name, which win.
func bodyOf(cmd *cobra.Command, file string, fields map[string]any) ([]byte, error) {
	all := map[string]any{}
	if file != "" {
		in := cmd.InOrStdin()
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			in = f
		}
		d := json.NewDecoder(io.LimitReader(in, 1<<20))
		d.UseNumber()
		if err := d.Decode(&all); err != nil || all == nil {
			return nil, errors.New("--json: expected one JSON object with the fields to change")
		}
	}
	for name, value := range fields {
		all[name] = value
	}
	return json.Marshal(all)
}
