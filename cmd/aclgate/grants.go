package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/policy"
	"aclgate/policy/record"
)

var grantKind = recordKind{"grants", "a grant", record.Grants, "id,cid,name,enabled,expire,access", []column{
	field("ID", "id"), field("GRANTOR", "cid"), field("NAME", "name"),
	{"GIVES", func(row map[string]any) string {
		var parts []string
		access, _ := row["access"].([]any)
		for _, a := range access {
			element, _ := a.(map[string]any)
			var levels []string
			all, _ := element["levels"].([]any)
			for _, l := range all {
				levels = append(levels, fmt.Sprint(l))
			}
			parts = append(parts, fmt.Sprint(element["uri"])+" "+strings.Join(levels, ","))
		}
		return strings.Join(parts, "; ")
	}},
	{"STATE", func(row map[string]any) string {
		if enabled, said := row["enabled"].(bool); said && !enabled {
			return "disabled"
		}
		if end := number(row, "expire"); end > 0 {
			return "until " + time.Unix(end, 0).UTC().Format(time.RFC3339)
		}
		return "enabled"
	}},
}}

func (e *env) grant() *cobra.Command {
	c := &cobra.Command{Use: "grant", Short: "Let accounts use items of others: make, show, change, link and delete grants", Args: cobra.NoArgs,
		Long: `Make, show, change, link and delete grants. A grant says what may be done with some
items of its account; whom it is for is said by link. docs/sharing.md has examples.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(e.grantWrite("new"), e.recordList(&grantKind), e.grantShow(), e.grantWrite("edit"), e.recordDelete(&grantKind, nil),
		e.recordSwitch(&grantKind, "enable", true, "Let a grant give something again"),
		e.recordSwitch(&grantKind, "disable", false, "Have a grant give nothing, at once"),
		e.grantLink("link", http.MethodPost, "Make a grant one for an account", "for"),
		e.grantLink("unlink", http.MethodDelete, "Take an account out of a grant", "no longer for"))
	return e.offlineFlag(c)
}

// grantShow prints a grant with the accounts that it is for.
func (e *env) grantShow() *cobra.Command {
	c := e.recordShow(&grantKind)
	c.Short = "Print all fields as JSON, and the accounts that it is for"
	c.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := recordPath(grantKind.collection, grantKind.name, args[0], false)
		if err != nil {
			return err
		}
		text, err := e.recordAt(cmd.Context(), path, grantKind.kind)
		if err != nil {
			return err
		}
		links, err := e.rows(cmd.Context(), path+"/subaccounts", "all", url.Values{})
		if err != nil {
			return err
		}
		var grant map[string]json.RawMessage
		if err := json.Unmarshal(text, &grant); err != nil {
			return failed(err)
		}
		grantees := []json.RawMessage{}
		for _, link := range links {
			var of struct {
				Account json.RawMessage `json:"subaccount_id"`
			}
			if err := json.Unmarshal(link, &of); err != nil {
				return failed(err)
			}
			grantees = append(grantees, of.Account)
		}
		if grant["grantees"], err = json.Marshal(grantees); err != nil {
			return failed(err)
		}
		return e.printJSON(grant)
	}
	return c
}

// grantLink returns a command that links a grant with an account, or takes the account out; is says what the
// grant is then.
func (e *env) grantLink(verb, method, short, is string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID ACCOUNT", Short: short, Args: cobra.ExactArgs(2), ValidArgsFunction: e.completeIDs(&grantKind, &accountKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath("grants", "a grant", args[0], false)
			if err != nil {
				return err
			}
			account, err := recordPath("subaccounts", "an account", args[1], false)
			if err != nil {
				return err
			}
			if _, err = e.platform(cmd.Context(), method, path+"/"+account, nil); err == nil {
				fmt.Fprintln(e.stdout, e.nameOf(cmd.Context(), &grantKind, path), "is", is, e.nameOf(cmd.Context(), &accountKind, account))
			}
			return err
		},
	}
}

func (e *env) grantWrite(verb string) *cobra.Command {
	var name, expire, file string
	var cid int64
	var gives []string
	var set setFlag
	c := &cobra.Command{
		Use: verb, Short: "Make a grant, and print its id", Args: cobra.NoArgs,
		Long: `Make a grant of an account. It gives nothing to anybody before it is linked.

  aclgate grant new --cid 11 --name vans --give gw/devices=7,9:view,command
  aclgate grant link 1 12`,
	}
	if verb == "edit" {
		c.Use, c.Short, c.Args = "edit ID", "Change fields of a grant", cobra.ExactArgs(1)
		c.ValidArgsFunction = e.completeIDs(&grantKind)
		c.Long = "Change fields of a grant. --give replaces all that it gave."
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if verb == "new" && cid == 0 {
			return errors.New("grant new needs --cid ACCOUNT, the account whose items it is about")
		}
		fields, err := set.fields()
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("name") {
			fields["name"] = name
		}
		if cmd.Flags().Changed("expire") {
			at, err := parseMoment(expire)
			if err != nil {
				return err
			}
			fields["expire"] = at
		}
		if len(gives) > 0 {
			access, err := e.readGives(gives)
			if err != nil {
				return err
			}
			fields["access"] = access
		}
		return e.writeRecord(cmd, &grantKind, args, cid, file, fields)
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what people call it")
	f.StringArrayVar(&gives, "give", nil, "items and levels, such as gw/devices=7,9:view or account:operate-as; may be said again")
	f.StringVar(&expire, "expire", "", "when it ends, such as 2027-01-01T00:00:00Z or unix seconds")
	f.StringVar(&file, "json", "", "file with further fields, - for stdin")
	set.add(c, grantKind.kind, verb == "new")
	if verb == "new" {
		f.Int64Var(&cid, "cid", 0, "the account whose items it is about (required)")
		e.completeFlag(c, "cid", &accountKind)
	}
	return c
}

// readGives reads what a grant gives.
func (e *env) readGives(gives []string) (access []map[string]any, err error) {
	cat, err := e.catalogue()
	if err != nil {
		return nil, err
	}
	known := itemCollections(cat)
	for _, text := range gives {
		element, err := readGive(text)
		if err != nil {
			return nil, err
		}
		if uri := element["uri"].(string); uri != policy.AccountURI {
			if err := known(uri); err != nil {
				return nil, fmt.Errorf("--give: %w", err)
			}
		}
		access = append(access, element)
	}
	return access, nil
}

// readGive reads URI=IDS:LEVELS or account:LEVELS.
func readGive(text string) (map[string]any, error) {
	what, levels, found := strings.Cut(text, ":")
	uri, ids, listed := strings.Cut(what, "=")
	if !found || levels == "" || uri == "" {
		return nil, fmt.Errorf("--give: expected items and levels, such as gw/devices=7,9:view or account:operate-as, found %q", text)
	}
	element := map[string]any{"uri": uri, "levels": strings.Split(levels, ",")}
	switch {
	case ids == "all":
		element["ids"] = "all"
	case listed:
		var all []int64
		for part := range strings.SplitSeq(ids, ",") {
			var id int64
			if _, err := fmt.Sscanf(part, "%d", &id); err != nil || id <= 0 {
				return nil, fmt.Errorf("--give: expected ids or all, found %q", ids)
			}
			all = append(all, id)
		}
		element["ids"] = all
	}
	return element, nil
}
