package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// newFlags say what is known of a token before it is edited.
type newFlags struct {
	id, cid int64 // id 0: the next free one
	info    string
	expire  timeFlag
	ttl     durationFlag
	access  string // JSON
	into    string // policy file
	keyFile string // to be made, for the key; "": it is printed
	set     setFlag
}

func (e *env) token() *cobra.Command {
	token := &cobra.Command{Use: "token", Short: "Make, show, change and revoke tokens", Args: cobra.NoArgs,
		Long: `Make, show, change and revoke tokens. With a database these ask the admin
listener of the running gateway, and what they answer is true of every request
that begins later. With a policy file list and show read the file, new and edit
print YAML for it, and the others are done in an editor.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	token.AddCommand(e.tokenNew(), e.tokenList(), e.tokenShow(), e.tokenEdit(), e.tokenRevoke(), e.tokenSwitch("enable", true), e.tokenSwitch("disable", false))
	return e.offlineFlag(token)
}

func (e *env) tokenNew() *cobra.Command {
	var f newFlags
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a key, which is shown once, and its token",
		Long: `Make a token in the database of the running gateway, and print its key of 64
characters. With a policy file: write a new key to the standard error, and the
YAML of a token for it to the standard output. --into puts the token into the
policy, behind the others.

The key is shown here and nowhere else: the policy holds its SHA-256 digest.
Give the key to whoever calls. For a script, --key-file writes it to a file that
nobody else can read, wherever the token goes. --access says what the token may
do; without it, that is nothing until you edit its acl.

With --ttl the token stays valid as long as it is used now and then; with --ttl
and --expire, while either lets it. Without them it ends in a year.

  aclgate token new --cid 11 --info 'ACME dashboard' --expire 2099-01-01
  aclgate token new --cid 11 --into policy.yaml --key-file fleet.key --access '{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"],"ids":[7]}]}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("cid") {
				f.cid = e.usualAccount(f.into)
			}
			return e.newToken(cmd.Context(), &f)
		},
	}
	flags := c.Flags()
	flags.Int64Var(&f.id, "id", 0, "id of the token (default: one above the highest in the policy and in the file of --into)")
	flags.Int64Var(&f.cid, "cid", 0, "account of the token (default: 1, or in a policy file without it the one that is above all others)")
	e.completeFlag(c, "cid", &accountKind)
	flags.StringVar(&f.info, "info", "who uses it and for what", "what the token is for")
	flags.Var(&f.expire, "expire", "day or time at which the token ends, such as 2099-01-01")
	flags.Var(&f.ttl, "ttl", "how long the token may go unused, such as 30d")
	flags.StringVar(&f.into, "into", "", "policy file to put the token into")
	flags.StringVar(&f.keyFile, "key-file", "", "file to make for the key, which is not printed then")
	f.set.add(c, record.Tokens, true)
	flags.StringVar(&f.access, "access", "", "JSON of the access, such as '{\"type\":2,\"acl\":[{\"uri\":\"gw/devices\",\"methods\":[\"GET\"]}]}' (default: nothing, to be edited)")
	return c
}

// sample returns a token to be edited: it may do nothing yet.
func sample(f *newFlags, digest policy.Digest) *store.Record {
	t := policy.Token{
		ID: f.id, Digest: digest, CID: f.cid, Info: f.info, Enabled: true, Access: policy.ACLAccess,
		Expire: int64(f.expire), TTL: int64(time.Duration(f.ttl) / time.Second),
	}
	now := time.Now()
	switch {
	case f.ttl != 0:
		t.Created = now.Unix() // a ttl counts from it until the first use
	case f.expire == 0:
		t.Expire = now.AddDate(1, 0, 0).Truncate(24 * time.Hour).Unix()
	}
	return &store.Record{Token: t}
}

const accessExpected = `--access: expected JSON such as '{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"]}]}'`

// withAccess returns the record with an access given as JSON.
func withAccess(rec *store.Record, access string) (*store.Record, error) {
	if !json.Valid([]byte(access)) {
		return nil, errors.New(accessExpected)
	}
	rec, err := store.Merge(rec, []byte(`{"access":`+access+`}`))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", accessExpected, err)
	}
	return rec, nil
}

// withFields returns the record with the fields of --set.
func withFields(rec *store.Record, fields map[string]any) (*store.Record, error) {
	text, err := json.Marshal(fields)
	if err == nil {
		rec, err = store.Merge(rec, text)
	}
	if err != nil {
		return nil, fmt.Errorf("--set: %w", err)
	}
	return rec, nil
}

// warnOfEntries warns of entries that say what they cannot mean, such as a misspelled uri.
func (e *env) warnOfEntries(rec *store.Record) {
	cat, err := e.catalogue()
	if err != nil {
		return // check names what is wrong with the catalogue
	}
	for _, text := range store.Findings(rec, cat) {
		fmt.Fprintln(e.stderr, "warning: "+text)
	}
}

func (e *env) newToken(ctx context.Context, f *newFlags) (err error) {
	if f.id < 0 || f.cid < 1 {
		return errors.New("--id and --cid are ids: numbers from 1 on")
	}
	if time.Duration(f.ttl)%time.Second != 0 {
		return errors.New("--ttl counts whole seconds")
	}
	further, err := f.set.fields()
	if err != nil {
		return err
	}
	key, err := newKeyFile(f.keyFile)
	if err != nil {
		return failed(err)
	}
	defer func() { key.drop(err) }()
	if s, faults := config.Load(e.file); faults.Err() == nil && s.Store.Kind != config.StoreFile {
		return e.makeToken(ctx, f, further, key)
	}
	return e.addToken(f, further, key)
}

// addToken makes a token for a policy file: it puts it there, or prints it.
func (e *env) addToken(f *newFlags, further map[string]any, out *keyFile) error {
	if f.id == 0 {
		f.id = e.nextID(f.into)
	}
	key, digest := store.NewKey()
	rec := sample(f, digest)
	var err error
	if len(further) > 0 {
		if rec, err = withFields(rec, further); err != nil {
			return err
		}
	}
	if f.access != "" {
		if rec, err = withAccess(rec, f.access); err != nil {
			return err
		}
	}
	e.warnOfEntries(rec)
	if f.into == "" {
		e.warnOfAccount(rec.Token.CID)
	}
	if f.into != "" {
		if err := e.insertToken(f.into, rec); err != nil {
			return failed(err)
		}
	}
	if err := out.say(e.stderr, e.stderr, tokenNamed(rec.Token.ID, rec.Token.CID), "The key, for the caller. It is shown this once, and the policy holds its digest:", key); err != nil {
		return err
	}
	switch {
	case f.into == "":
		_, err = e.stdout.Write(store.TokenYAML(rec))
	case rec.Token.Access != policy.ACLAccess || len(rec.Entries) > 0:
		_, err = fmt.Fprintf(e.stdout, "put token %d into %s\n", rec.Token.ID, f.into)
	default:
		_, err = fmt.Fprintf(e.stdout, "put token %d into %s. It may do nothing yet: say what in its acl, then \"aclgate check\"\n", rec.Token.ID, f.into)
	}
	return err
}

// insertToken replaces a policy file by one with a token more.
func (e *env) insertToken(path string, rec *store.Record) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("cannot read the policy: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot read the policy: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the policy: %w", err)
	}
	depth := config.Defaults().Policy.MaxDepth
	if s, _ := config.Load(e.file); s != nil {
		depth = s.Policy.MaxDepth
	}
	if err := hasPlace(path, text, &rec.Token, depth); err != nil {
		return err
	}
	if text, err = store.InsertToken(path, text, rec, depth); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	return replaceFile(path, text, info.Mode().Perm())
}

// replaceFile replaces a file by rename, so that whoever reads it finds the old text or the new one.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	temp := path + ".new"
	if err := writeNew(temp, text, mode); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("cannot replace %s: %w", path, err)
	}
	return nil
}
