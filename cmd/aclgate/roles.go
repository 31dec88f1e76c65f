package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/policy/record"
)

// Roles and users are asked for in all realms: their ids are unique.
var roleKind = recordKind{"realms/all/roles", "a role", record.Roles, "id,realm_id,name,reach,access,platform,assignable_by", []column{
	field("ID", "id"), field("REALM", "realm_id"), field("NAME", "name"), field("REACH", "reach"),
	{"ACCESS", func(row map[string]any) string {
		access, _ := row["access"].(map[string]any)
		acl, _ := access["acl"].([]any)
		switch number(access, "type") {
		case 0:
			return "standard"
		case 1:
			return "master"
		}
		return "acl, " + counted(len(acl), "entry", "entries")
	}},
	{"ADMINISTERS", func(row map[string]any) string {
		var all []string
		rights, _ := row["platform"].([]any)
		for _, r := range rights {
			right, _ := r.(map[string]any)
			all = append(all, fmt.Sprint(right["uri"]))
		}
		return strings.Join(all, ",")
	}},
	texts("GIVEN BY", "assignable_by"),
}}

func (e *env) role() *cobra.Command {
	c := &cobra.Command{Use: "role", Short: "Say what users may do: make, show, change and delete roles", Args: cobra.NoArgs,
		Long: `Make, show, change and delete roles of realms. Users get them by
aclgate user edit ID --role NAME. docs/roles.md has examples, and what the built-in
roles are.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(e.roleWrite("new"), e.recordList(&roleKind), e.recordShow(&roleKind), e.roleWrite("edit"), e.recordDelete(&roleKind, nil))
	return e.offlineFlag(c)
}

// roleFlags are what flags say of a role.
type roleFlags struct {
	name, access, reach      string
	administers, gives, when []string
	further                  setFlag
}

// fields returns the fields that are said.
func (f *roleFlags) fields(set func(flag string) bool) (map[string]any, error) {
	fields, err := f.further.fields()
	if err != nil {
		return nil, err
	}
	for flag, value := range map[string]any{"name": f.name, "reach": f.reach} {
		if set(flag) {
			fields[flag] = value
		}
	}
	if set("access") {
		if fields["access"], err = accessOf(f.access); err != nil {
			return nil, err
		}
	}
	if set("administers") {
		rights := []any{}
		for _, text := range f.administers {
			uri, methods, found := strings.Cut(text, "=")
			if !found {
				return nil, fmt.Errorf("--administers: expected a kind of record and methods, such as users=GET,PUT, found %q", text)
			}
			rights = append(rights, map[string]any{"uri": uri, "methods": strings.Split(methods, ",")})
		}
		fields["platform"] = rights
	}
	if set("given-by") {
		fields["assignable_by"] = f.gives
	}
	if set("when") {
		fields["when"] = map[string]any{"account_roles": f.when}
	}
	return fields, nil
}

func (e *env) roleWrite(verb string) *cobra.Command {
	var said roleFlags
	var file string
	var of int64
	c := &cobra.Command{
		Use: verb, Short: "Make a role of a realm, and print its id", Args: cobra.NoArgs,
		Long: `Make a role of a realm.

  aclgate role new --realm 1 --name dispatcher --reach branch --access '{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"]}]}'
  aclgate role new --realm 1 --name hr --reach branch --access '{"type":2,"acl":[]}' --administers users=GET,PUT`,
	}
	if verb == "edit" {
		c.Use, c.Short, c.Args = "edit ID", "Change fields of a role", cobra.ExactArgs(1)
		c.ValidArgsFunction = e.completeIDs(&roleKind)
		c.Long = "Change fields of a role. It is in force for every session of its users at once."
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if verb == "new" && of == 0 {
			return errors.New("role new needs --realm ID")
		}
		fields, err := said.fields(cmd.Flags().Changed)
		if err != nil {
			return err
		}
		kind := roleKind
		if len(args) == 0 {
			kind.collection = fmt.Sprintf("realms/%d/roles", of)
		}
		return e.writeRecord(cmd, &kind, args, 0, file, fields)
	}
	f := c.Flags()
	f.StringVar(&said.name, "name", "", "as users have it")
	f.StringVar(&said.access, "access", "", "what it permits, as JSON")
	f.StringVar(&said.reach, "reach", "own", "the accounts: own, branch, clients or tree")
	f.StringArrayVar(&said.administers, "administers", nil, "records and methods, such as users=GET,PUT; may be said again")
	f.StringSliceVar(&said.gives, "given-by", nil, "roles whose bearers may give it, beside masters")
	f.StringSliceVar(&said.when, "when", nil, "account roles that the account of the user must all have")
	f.StringVar(&file, "json", "", "file with further fields, - for stdin")
	said.further.add(c, roleKind.kind, verb == "new")
	completeWords(c, "reach", "own", "branch", "clients", "tree")
	if verb == "new" {
		f.Int64Var(&of, "realm", 0, "the realm (required)")
		e.completeFlag(c, "realm", &realmKind)
	}
	return c
}
