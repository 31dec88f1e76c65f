package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/policy/record"
)

var realmKind = recordKind{"realms", "a realm", record.Realms, "id,cid,name,public_id,enabled,home", []column{
	field("ID", "id"), field("ACCOUNT", "cid"), field("NAME", "name"), field("PUBLIC ID", "public_id"), field("ENABLED", "enabled"),
	{"USERS LIVE IN", func(row map[string]any) string {
		home, _ := row["home"].(map[string]any)
		switch number(home, "type") {
		case 1:
			return fmt.Sprint(number(home, "subaccount_id"))
		case 2:
			return fmt.Sprint("accounts of their own below ", number(home, "subaccount_id"))
		}
		return fmt.Sprint(number(row, "cid"))
	}},
}}

func (e *env) realm() *cobra.Command {
	c := &cobra.Command{Use: "realm", Short: "Let people log in: make, show, change, close and delete realms", Args: cobra.NoArgs,
		Long: `Make, show, change, close and delete realms, where users log in. docs/realms.md has
examples. These ask the admin listener of the running gateway; with --offline they work on
the database itself.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(e.realmWrite("new"), e.recordList(&realmKind), e.recordShow(&realmKind), e.realmWrite("edit"), e.realmDelete(),
		e.recordSwitch(&realmKind, "enable", true, "Let the users of a realm in again"),
		e.recordSwitch(&realmKind, "disable", false, "Let no user of a realm in, at once"))
	return e.offlineFlag(c)
}

func (e *env) realmDelete() *cobra.Command {
	c := e.recordDelete(&realmKind, nil)
	c.Long = "Delete a realm. Its users and roles, and all their tokens, end with it."
	return c
}

func (e *env) realmWrite(verb string) *cobra.Command {
	var name, access, home, file string
	var cid, below, limit, most int64
	var further setFlag
	c := &cobra.Command{
		Use: verb, Short: "Make a realm, and print its id", Args: cobra.NoArgs,
		Long: `Make a realm of an account. Without --access its users have what their roles say.

  aclgate realm new --cid 11 --name ACME
  aclgate realm new --cid 11 --name Drivers --home-below 11 --access '{"type":2,"acl":[]}'`,
	}
	if verb == "edit" {
		c.Use, c.Short, c.Args = "edit ID", "Change fields of a realm", cobra.ExactArgs(1)
		c.ValidArgsFunction = e.completeIDs(&realmKind)
		c.Long = "Change fields of a realm. What is changed of access is in force for every session at once."
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if verb == "new" && cid == 0 {
			return errors.New("realm new needs --cid ACCOUNT, the account that it belongs to")
		}
		fields, err := further.fields()
		if err != nil {
			return err
		}
		set := cmd.Flags().Changed
		if set("name") {
			fields["name"] = name
		}
		if set("max-users") {
			fields["max_users"] = most
		}
		switch where, err := homeOf(set("home"), home, set("home-below"), below, limit); {
		case err != nil:
			return err
		case where != nil:
			fields["home"] = where
		}
		if set("access") {
			if fields["token_params"], err = paramsOf(access); err != nil {
				return err
			}
		}
		return e.writeRecord(cmd, &realmKind, args, cid, file, fields)
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what people call it")
	f.StringVar(&access, "access", "", "what tokens of its users may do, as JSON; empty: what their roles say")
	f.StringVar(&home, "home", "", "the account where users live, or own for that of the realm")
	f.Int64Var(&below, "home-below", 0, "users get accounts of their own below this one")
	f.Int64Var(&limit, "home-limit", 0, "with --home-below, the limit of these accounts")
	f.Int64Var(&most, "max-users", -1, "how many users there may be; -1: any number")
	f.StringVar(&file, "json", "", "file with further fields, - for stdin")
	further.add(c, realmKind.kind, verb == "new")
	if verb == "new" {
		f.Int64Var(&cid, "cid", 0, "the account that it belongs to (required)")
		e.completeFlag(c, "cid", &accountKind)
	}
	return c
}

// paramsOf returns what --access of a realm or a user says of the tokens of logins.
func paramsOf(access string) (map[string]any, error) {
	if access == "" {
		return map[string]any{}, nil
	}
	is, err := accessOf(access)
	return map[string]any{"access": is}, err
}

// accessOf returns what --access says.
func accessOf(text string) (json.RawMessage, error) {
	if !json.Valid([]byte(text)) {
		return nil, errors.New(`--access: expected JSON such as {"type":0}`)
	}
	return json.RawMessage(text), nil
}

// homeOf returns what flags say of where users live, nil for nothing.
func homeOf(hasHome bool, home string, hasBelow bool, below, limit int64) (map[string]any, error) {
	switch {
	case hasHome && hasBelow:
		return nil, errors.New("--home and --home-below: say one of them")
	case hasBelow && limit != 0:
		return map[string]any{"type": 2, "subaccount_id": below, "limit_id": limit}, nil
	case hasBelow:
		return map[string]any{"type": 2, "subaccount_id": below}, nil
	case !hasHome:
		return nil, nil
	case home == "own":
		return map[string]any{"type": 0}, nil
	}
	var id int64
	if _, err := fmt.Sscanf(home, "%d", &id); err != nil || id <= 0 || fmt.Sprint(id) != home {
		return nil, fmt.Errorf("--home: expected the id of an account, or own, found %q", home)
	}
	return map[string]any{"type": 1, "subaccount_id": id}, nil
}

// texts returns a column with a list.
func texts(title, name string) column {
	return column{title, func(row map[string]any) string {
		var all []string
		items, _ := row[name].([]any)
		for _, item := range items {
			all = append(all, printable(fmt.Sprint(item)))
		}
		if len(all) == 0 {
			return "-"
		}
		return strings.Join(all, ",")
	}}
}
