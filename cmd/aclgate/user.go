package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy/record"
)

var userKind = recordKind{"realms/all/users", "a user", record.Users, "id,realm_id,cid,name,email,enabled,roles", []column{
	field("ID", "id"), field("REALM", "realm_id"), field("ACCOUNT", "cid"), field("NAME", "name"), field("EMAIL", "email"), field("ENABLED", "enabled"), texts("ROLES", "roles"),
}}

func (e *env) user() *cobra.Command {
	c := &cobra.Command{
		Use: "user", Short: "Make, show, change and delete users of realms; passwords, logins and logouts", Args: cobra.NoArgs,
		Long: `Make, show, change and delete users of realms. hash works by itself; the others ask
the admin listener of the running gateway, or with --offline the database itself.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	login := e.userDo("login ID", "Make a session without the password, and print its key", http.MethodPost, "/login")
	c.AddCommand(e.userWrite("new"), e.recordList(&userKind), e.recordShow(&userKind), e.userWrite("edit"), e.recordDelete(&userKind, nil),
		e.recordSwitch(&userKind, "enable", true, "Let a user in again"),
		e.recordSwitch(&userKind, "disable", false, "Let a user in no more: all tokens of the user end"),
		e.userPassword(), login, e.userDo("logout ID", "End all sessions of a user, and the tokens made with them", http.MethodPost, "/logout"), e.userHash())
	return e.offlineFlag(c)
}

// userFlags are what flags say of a user.
type userFlags struct {
	name, email, access string
	cid                 int64
	roles               []string
	further             setFlag
}

// fields returns the fields that are said.
func (f *userFlags) fields(set func(flag string) bool) (map[string]any, error) {
	fields, err := f.further.fields()
	if err != nil {
		return nil, err
	}
	for flag, value := range map[string]any{"name": f.name, "email": f.email} {
		if set(flag) {
			fields[flag] = value
		}
	}
	if set("role") {
		fields["roles"] = slices.DeleteFunc(f.roles, func(name string) bool { return name == "" })
	}
	if set("access") {
		if fields["token_params"], err = paramsOf(f.access); err != nil {
			return nil, err
		}
	}
	if f.cid != 0 {
		fields["cid"] = f.cid
	}
	return fields, nil
}

func (e *env) userWrite(verb string) *cobra.Command {
	var said userFlags
	var file string
	var of int64
	c := &cobra.Command{
		Use: verb, Short: "Make a user of a realm, and print the id", Args: cobra.NoArgs,
		Long: `Make a user of a realm. The account follows from the realm, unless --cid names one.
Nobody logs in before there is a password.

  aclgate user new --realm 1 --name anna --role account-admin
  aclgate user password 1 < password.txt`,
	}
	if verb == "edit" {
		c.Use, c.Short, c.Args = "edit ID", "Change fields of a user", cobra.ExactArgs(1)
		c.ValidArgsFunction = e.completeIDs(&userKind)
		c.Long = "Change fields of a user. --role replaces all roles, an empty one takes them away."
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if verb == "new" && of == 0 {
			return errors.New("user new needs --realm ID")
		}
		fields, err := said.fields(cmd.Flags().Changed)
		if err != nil {
			return err
		}
		kind := userKind
		if len(args) == 0 {
			kind.collection = fmt.Sprintf("realms/%d/users", of)
		}
		return e.writeRecord(cmd, &kind, args, 0, file, fields)
	}
	f := c.Flags()
	f.StringVar(&said.name, "name", "", "unique in the realm, without regard to case")
	f.StringVar(&said.email, "email", "", "whom to write to")
	f.StringSliceVar(&said.roles, "role", nil, "the name of a role; may be said again")
	f.StringVar(&said.access, "access", "", "what tokens of the user may do, as JSON, in the place of what the realm says; empty: what that says")
	f.StringVar(&file, "json", "", "file with further fields, - for stdin")
	said.further.add(c, userKind.kind, verb == "new")
	e.completeRoles(c, "role")
	if verb == "new" {
		f.Int64Var(&of, "realm", 0, "the realm (required)")
		e.completeFlag(c, "realm", &realmKind)
		f.Int64Var(&said.cid, "cid", 0, "the home account, if another one than that of the realm")
		e.completeFlag(c, "cid", &accountKind)
	}
	return c
}

// userDo returns a command that does something with one user, and prints the key that is answered; without
// one, the user was logged out.
func (e *env) userDo(use, short, method, action string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: e.completeIDs(&userKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath(userKind.collection, userKind.name, args[0], false)
			if err != nil {
				return err
			}
			a, err := e.platform(cmd.Context(), method, path+action, nil)
			if err != nil {
				return err
			}
			var made struct{ Token string }
			if err := json.Unmarshal(a.Result[0], &made); err != nil {
				return failed(err)
			}
			if made.Token == "" {
				made.Token = "logged out " + e.nameOf(cmd.Context(), &userKind, path)
			}
			fmt.Fprintln(e.stdout, made.Token)
			return nil
		},
	}
}

func (e *env) userPassword() *cobra.Command {
	var none bool
	var file string
	c := &cobra.Command{
		Use: "password ID", Short: "Read a password from a file or standard input and give it to a user, whose sessions end", Args: cobra.ExactArgs(1), ValidArgsFunction: e.completeIDs(&userKind),
		Long: `Read a password, the first line of standard input or of a file, and give it to a user.
All sessions of the user end. With --none the user has no password any more.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath(userKind.collection, userKind.name, args[0], false)
			if err != nil {
				return err
			}
			if none {
				if _, err = e.platform(cmd.Context(), http.MethodDelete, path+"/password", nil); err == nil {
					fmt.Fprintln(e.stdout, e.nameOf(cmd.Context(), &userKind, path), "has no password any more, and its sessions have ended")
				}
				return err
			}
			in := cmd.InOrStdin()
			if file != "-" {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			password, err := readPassword(in)
			if err != nil {
				return err
			}
			body, err := json.Marshal(map[string]string{"password": password})
			if err == nil {
				_, err = e.platform(cmd.Context(), http.MethodPut, path, body)
			}
			if err == nil {
				fmt.Fprintln(e.stdout, e.nameOf(cmd.Context(), &userKind, path), "has a new password, and its sessions have ended")
			}
			return err
		},
	}
	c.Flags().StringVar(&file, "password-file", "-", "file with the password, - for stdin")
	c.Flags().BoolVar(&none, "none", false, "take the password away")
	return c
}

// readPassword reads the first line. A password is no argument, which other programs would see.
func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		return "", fmt.Errorf("cannot read a password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (e *env) userHash() *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Read a password from standard input and print its hash, for password_hash of the policy file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := readPassword(cmd.InOrStdin())
			if err != nil {
				return err
			}
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
