package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// fileKind reports whether tokens are in a policy file, and returns the settings.
func (e *env) fileKind() (*config.Settings, bool, error) {
	s, err := e.loadSettings()
	return s, err == nil && s.Store.Kind == config.StoreFile, err
}

func (e *env) tokenList() *cobra.Command {
	var output outputFlag
	c := &cobra.Command{
		Use:   "list",
		Short: "Print one line for each token",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := e.tokens(cmd.Context())
			if err != nil {
				return err
			}
			return e.printRows(rows, output, tokenColumns)
		},
	}
	output.add(c)
	return c
}

// tokenColumns are what a list says of tokens.
var tokenColumns = []column{
	field("ID", "id"), field("ACCOUNT", "cid"),
	{"ACCESS", func(row map[string]any) string {
		access, _ := row["access"].(map[string]any)
		return [...]string{"standard", "master", "acl", "noapi"}[number(access, "type")&3]
	}},
	{"VALID", tokenValidity}, field("INFO", "info"),
}

// tokenValidity says how long a token can be used.
func tokenValidity(row map[string]any) string {
	var state []string
	if enabled, said := row["enabled"].(bool); said && !enabled {
		state = append(state, "disabled")
	}
	if expire := number(row, "expire"); expire > 0 {
		word := "until "
		if expire <= time.Now().Unix() {
			word = "ended "
		}
		state = append(state, word+time.Unix(expire, 0).UTC().Format(time.RFC3339))
	}
	if ttl := number(row, "ttl"); ttl > 0 {
		state = append(state, "ttl "+(time.Duration(ttl)*time.Second).String())
	}
	return strings.Join(state, ", ")
}

// tokens returns all tokens, of the policy file or of the running gateway, as rows.
func (e *env) tokens(ctx context.Context) (all []json.RawMessage, err error) {
	s, isFile, err := e.fileKind()
	switch {
	case err != nil:
		return nil, err
	case !isFile:
		return e.rows(ctx, "tokens", "all", url.Values{})
	}
	pol, err := policyInForce(s)
	if err != nil {
		return nil, err
	}
	for _, rec := range pol.Records() {
		doc, err := record.Parse(store.AppendDoc(nil, rec, nil))
		if err != nil {
			return nil, failed(err)
		}
		all = append(all, record.Tokens.Choose(record.Tokens.Row(doc), nil).Append(nil))
	}
	return all, nil
}

func (e *env) tokenShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Print a token: the YAML of a policy file, or the JSON of the database",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(&tokenKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := recordPath("tokens", "a token", args[0], false)
			if err != nil {
				return err
			}
			s, isFile, err := e.fileKind()
			switch {
			case err != nil:
				return err
			case !isFile:
				return e.showRecord(cmd.Context(), path, record.Tokens)
			}
			rec, err := fileToken(s, args[0])
			if err == nil {
				_, err = e.stdout.Write(store.TokenYAML(rec))
			}
			return err
		},
	}
}

// fileToken returns a token of the policy file.
func fileToken(s *config.Settings, id string) (*store.Record, error) {
	pol, err := policyInForce(s)
	if err != nil {
		return nil, err
	}
	n, _ := strict.ParseID(id)
	rec, err := one(pol, "the id "+id, func(t *policy.Token) bool { return t.ID == n })
	return rec, failed(err)
}

// editFlags are what an edit changes.
type editFlags struct {
	info   string
	access string
	cid    int64
	expire timeFlag
	ttl    durationFlag
	json   string
	set    setFlag
}

func (e *env) tokenEdit() *cobra.Command {
	var f editFlags
	c := &cobra.Command{
		Use:   "edit ID",
		Short: "Change fields of a token",
		Long: `Change fields of a token in the database. --json names a file, - for stdin, with
one object of the fields to change, as the policy file has them: lists are
replaced whole, null takes a field away. With a policy file: print the token's
YAML with the changes, to be put in its place.

  aclgate token edit 17 --access '{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"],"ids":[7]}]}'
  aclgate token edit 17 --set ips=10.0.0.0/8 --set 'origins=["https://app.example.com"]'`,
		Args: cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(&tokenKind),
		RunE:              func(cmd *cobra.Command, args []string) error { return e.editToken(cmd, args[0], &f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.info, "info", "", "what the token is for")
	flags.Int64Var(&f.cid, "cid", 0, "account of the token")
	e.completeFlag(c, "cid", &accountKind)
	flags.Var(&f.expire, "expire", "day or time at which the token ends, such as 2099-01-01")
	flags.Var(&f.ttl, "ttl", "how long the token may go unused, such as 30d")
	flags.StringVar(&f.access, "access", "", "JSON of what the token may do")
	flags.StringVar(&f.json, "json", "", "file with further fields, - for stdin")
	f.set.add(c, record.Tokens, false)
	return c
}

// body returns what is to change as an object.
func (f *editFlags) body(cmd *cobra.Command) ([]byte, error) {
	fields, err := f.set.fields()
	if err != nil {
		return nil, err
	}
	set := cmd.Flags().Changed
	if set("info") {
		fields["info"] = f.info
	}
	if set("access") {
		if !json.Valid([]byte(f.access)) {
			return nil, errors.New(accessExpected)
		}
		fields["access"] = json.RawMessage(f.access)
	}
	for name, value := range map[string]int64{"cid": f.cid, "expire": int64(f.expire), "ttl": int64(time.Duration(f.ttl) / time.Second)} {
		if set(name) {
			fields[name] = value
		}
	}
	body, err := bodyOf(cmd, f.json, fields)
	if err == nil && string(body) == "{}" {
		err = errors.New("name what to change: --info, --access, --expire, --ttl, --set or --json")
	}
	return body, err
}

func (e *env) editToken(cmd *cobra.Command, id string, f *editFlags) error {
	path, err := recordPath("tokens", "a token", id, false)
	if err != nil {
		return err
	}
	body, err := f.body(cmd)
	if err != nil {
		return err
	}
	s, isFile, err := e.fileKind()
	switch {
	case err != nil:
		return err
	case !isFile:
		var said struct{ Access json.RawMessage }
		if json.Unmarshal(body, &said) == nil && len(said.Access) > 0 {
			_ = e.judgeAccess(string(said.Access)) // what does not read the gateway refuses
		}
		return e.alter(cmd.Context(), "changed", &tokenKind, http.MethodPut, path, body)
	}
	rec, err := fileToken(s, id)
	if err != nil {
		return err
	}
	changed, err := store.Merge(rec, body)
	if err != nil {
		return failed(err)
	}
	e.warnOfEntries(changed)
	_, err = e.stdout.Write(store.TokenYAML(changed))
	return err
}

// judgeAccess judges an access before it is sent to the gateway, which warns of nothing.
func (e *env) judgeAccess(access string) error {
	rec, err := withAccess(sample(&newFlags{id: 1, cid: 1}, policy.Digest{}), access)
	if err == nil {
		e.warnOfEntries(rec)
	}
	return err
}

func (e *env) tokenRevoke() *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "Delete a token: no request that begins after this returned is served with it",
		Long: `Delete a token. When this returns, the gateway that was asked serves no request
with it any more. With --wait, no other gateway at the same database does either;
exit code 1 says that one was not heard of, and that its time has run out.`,
		Args: cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(&tokenKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.changeToken(cmd.Context(), "revoked", http.MethodDelete, args[0], nil, wait)
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until no gateway accepts it")
	return c
}

func (e *env) tokenSwitch(verb string, on bool) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use:   verb + " ID",
		Short: map[bool]string{true: "Let a token be used again", false: "Keep a token from being used, and keep it"}[on],
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: e.completeIDs(&tokenKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.changeToken(cmd.Context(), verb+"d", http.MethodPut, args[0], fmt.Appendf(nil, `{"enabled":%t}`, on), wait)
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until every gateway obeys")
	return c
}

// changeToken changes or deletes a token, and says what was done, and which gateways were not heard of.
func (e *env) changeToken(ctx context.Context, done, method, id string, body []byte, wait bool) error {
	path, err := recordPath("tokens", "a token", id, wait)
	if err != nil {
		return err
	}
	if err := e.written(); err != nil {
		return err
	}
	return e.alter(ctx, done, &tokenKind, method, path, body)
}

// tokenNamed names a token that was made.
func tokenNamed(id int64, cid any) string { return fmt.Sprintf("token %d of account %v", id, cid) }

// makeToken makes a token in the database of the running gateway, and prints its key.
func (e *env) makeToken(ctx context.Context, f *newFlags, further map[string]any, out *keyFile) error {
	if f.id != 0 {
		return errors.New("--id is for policy files: a database gives ids itself")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(store.AppendDoc(nil, sample(f, policy.Digest{}), nil), &fields); err != nil {
		return err
	}
	for _, given := range []string{"id", "key_sha256", "created"} {
		delete(fields, given)
	}
	for name, value := range further {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fields[name] = text
	}
	if f.access != "" {
		if err := e.judgeAccess(f.access); err != nil {
			return err
		}
		fields["access"] = json.RawMessage(f.access)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	answer, err := e.platform(ctx, http.MethodPost, "tokens", body)
	if err != nil && strings.Contains(err.Error(), "there is no account") {
		return failed(errors.New(err.Error() + e.accountsThere(ctx)))
	}
	if err != nil {
		return err
	}
	var made struct {
		ID  int64
		Key string
	}
	if err := json.Unmarshal(answer.Result[0], &made); err != nil {
		return failed(err)
	}
	text := fmt.Sprintf("# Token %d. Its key, for the caller: keep it now, it is not shown again.", made.ID)
	if f.access == "" && further["access"] == nil {
		text += fmt.Sprintf(" It may do nothing yet: aclgate token edit %d --access", made.ID)
	}
	return out.say(e.stderr, e.stdout, tokenNamed(made.ID, string(fields["cid"])), text, made.Key)
}
