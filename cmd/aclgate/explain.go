package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/explain"
	"aclgate/policy/store"
)

// keyVariable is the environment variable that may hold the key to explain. A key never comes as a
// flag: flags are in the list of processes.
const keyVariable = "ACLGATE_KEY"

// explainFlags say who asks, from where and when.
type explainFlags struct {
	token, digest, info, keyFile string
	user, claims                 string
	cid, at, source, origin      string
	live, mqtt                   bool
	bearer                       string // the key, where it is a token from elsewhere that only the running gateway can tell of
	away                         error  // nothing but the running gateway knows who asks; nil: the policy says it
	output                       outputFlag
}

func (e *env) explain() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain METHOD PATH",
		Short: "Explain what one request of one token gets, and why",
		Long: `Judge one request by the rights of one token, without sending it, and explain:
how the path is read, which entry of the ACL decides and why each other one
does not, what becomes of every id, what client and backend get, and what to do.

Name the token by its id, by 8 or more hex digits of its digest, or by a piece of
its info. Or give the key itself, in a file, on stdin (--key-file -) or in the
environment variable ` + keyVariable + `; that of a session, or a token from elsewhere (JWT),
only the running gateway knows, which --live asks. With --user, it is what a session of that user could do;
with --claims too, one that a token from elsewhere with these claims makes.

  aclgate explain --token 17 GET '/gw/devices/7/messages'

The account of an item, where the gateway keeps accounts apart itself, and what a match
names, only the running gateway knows, and whether an account is blocked, a limit met
or an index too old: --live asks it, through the admin listener (admin.token_file).
Where no gateway runs, it asks the backend itself.

With --mqtt, explain an action on a topic, or the delivery of a message, in place of a request: which GET
decides, what a filter is narrowed to, which entries have a part in it. --cid is that of the user property then.

  aclgate explain --token 17 --mqtt subscribe 'flespi/state/gw/devices/+/telemetry/#'

The body of a request is not judged here. Exit code 0 says that it was explained,
allowed or not; 1 that there is no such token.`,
		Args: f.arguments,
		RunE: func(cmd *cobra.Command, args []string) error { return e.runExplain(cmd, &f, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.token, "token", "", "id of the token")
	flags.StringVar(&f.user, "user", "", "id of the user who is logged in")
	flags.StringVar(&f.claims, "claims", "", "with --user, claims of a token from elsewhere as JSON, such as {\"groups\":[\"advisers\"]}")
	flags.StringVar(&f.digest, "digest", "", "first 8 or more hex digits of the token's digest")
	flags.StringVar(&f.info, "info", "", "a piece of the token's info")
	flags.StringVar(&f.keyFile, "key-file", "", "file that holds the token's key, - for stdin")
	flags.StringVar(&f.cid, "cid", "", "account of x-flespi-cid")
	flags.StringVar(&f.at, "at", "", "when: a day, a time of RFC 3339 or unix seconds (default now)")
	flags.StringVar(&f.source, "source", "", "address of the client (default: not judged)")
	flags.StringVar(&f.origin, "origin", "", "origin of the page that asks")
	f.output.addJSON(c)
	flags.BoolVar(&f.live, "live", false, "ask the running gateway: the accounts of items, what a match names, limits and blocks")
	flags.BoolVar(&f.mqtt, "mqtt", false, "explain subscribe FILTER, publish TOPIC or deliver TOPIC")
	c.MarkFlagsMutuallyExclusive("token", "digest", "info", "key-file", "user")
	return c
}

// arguments names what is missing, which a count of arguments does not.
func (f *explainFlags) arguments(_ *cobra.Command, args []string) error {
	switch {
	case f.mqtt && (len(args) != 2 || !slices.Contains(explain.Actions(), args[0])):
		return errArguments("explain --mqtt takes subscribe FILTER, publish TOPIC or deliver TOPIC")
	case len(args) != 2:
		return errArguments("explain takes METHOD and PATH, such as: aclgate explain --token 17 GET /gw/devices/7")
	}
	return nil
}

func (e *env) runExplain(cmd *cobra.Command, f *explainFlags, args []string) error {
	ask, err := f.ask(args)
	if err != nil {
		return err
	}
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	reading := e.during("reading the policy")
	pol, err := policyInForce(s)
	reading.end()
	if err != nil {
		return err
	}
	pol.adoptUses(s, ask.At)
	rec, err := f.find(cmd.InOrStdin(), pol, ask.At+int64(s.Realms.MaxAge/time.Second))
	if err != nil {
		return failed(err)
	}
	ask.File, ask.Tree, ask.Grants, ask.Token = s.Store.Path.Text, pol.Tree, pol.Grants(), pol.token(rec)
	if f.mqtt {
		return e.explainTopic(cmd.Context(), f, s, pol, ask)
	}
	var report *explain.Report
	if !f.live {
		report = explain.Explain(pol.engine, ask)
	} else if report, err = explainLive(cmd.Context(), e, s, live[explain.Report]{
		explain.Question{Ask: ask, Claims: []byte(f.claims), Bearer: f.bearer}, f.at == "", f.away,
		func(ctx context.Context, a *app.App) (*explain.Report, error) { return a.Explain(ctx, ask) },
	}); err != nil {
		return err
	}
	if ask.Method != args[0] {
		report.Notes = append(report.Notes, "The method is explained as "+ask.Method+": in a request its capitals count.")
	}
	if near := meant(pol.engine.Catalogue, ask.Target); near != "" && report.Reason == policy.UnknownRoute.String() {
		report.Notes = append(report.Notes, "D"+strings.TrimPrefix(near, ": d"))
	}
	return e.print(report, f.output.json())
}

// explainTopic explains an action on a topic: the method of ask on its target.
func (e *env) explainTopic(ctx context.Context, f *explainFlags, s *config.Settings, pol *policyFile, ask explain.Ask) error {
	topic := explain.TopicAsk{Action: ask.Method, Topic: ask.Target, Input: ask.Input, File: ask.File}
	if !f.live {
		return e.print(explain.Topic(app.TopicOptions(s, pol.engine), topic), f.output.json())
	}
	report, err := explainLive(ctx, e, s, live[explain.TopicReport]{
		explain.Question{Action: topic.Action, Ask: ask, Claims: []byte(f.claims), Bearer: f.bearer}, f.at == "", f.away,
		func(ctx context.Context, a *app.App) (*explain.TopicReport, error) { return a.ExplainTopic(ctx, topic) },
	})
	if err != nil {
		return err
	}
	return e.print(report, f.output.json())
}

func (e *env) print(r io.WriterTo, asJSON bool) error {
	if !asJSON {
		_, err := r.WriteTo(e.stdout)
		return err
	}
	return e.printJSON(r)
}

// ask reads everything but the token.
func (f *explainFlags) ask(args []string) (ask explain.Ask, err error) {
	ask = explain.Ask{Method: args[0], Target: args[1]}
	ask.Origin, ask.At = []byte(f.origin), time.Now().Unix()
	if upper := strings.ToUpper(ask.Method); policy.ParseMethod([]byte(upper)) != policy.NoMethod {
		ask.Method = upper
	}
	if !f.mqtt && !strings.HasPrefix(ask.Target, "/") {
		return ask, errors.New("a path begins with / and comes without the address: /gw/devices/7")
	}
	switch {
	case f.token == "" && f.user == "" && f.digest == "" && f.info == "" && f.keyFile == "" && os.Getenv(keyVariable) == "":
		return ask, errors.New("name a token: --token, --digest, --info, --key-file or --user, or a key in " + keyVariable)
	case f.claims != "" && f.user == "":
		return ask, errors.New("--claims goes with --user: other tokens have none")
	case f.digest != "" && (len(f.digest) < 8 || strings.Trim(strings.ToLower(f.digest), "0123456789abcdef") != ""):
		return ask, errors.New("--digest is 8 or more hex digits")
	}
	if f.cid != "" {
		cid, ok := strict.ParseID(f.cid)
		if !ok {
			return ask, fmt.Errorf("--cid is the id of an account, not %q", f.cid)
		}
		ask.AskedCID = cid
	}
	if f.source != "" {
		if ask.Source, err = netip.ParseAddr(f.source); err != nil {
			return ask, fmt.Errorf("--source is an address: %w", err)
		}
	}
	if f.at != "" {
		ask.At, err = parseMoment(f.at)
	}
	return ask, err
}

// parseMoment reads unix seconds, a day, which means its beginning in UTC, or a time of RFC 3339.
func parseMoment(text string) (int64, error) {
	if unix, ok := strict.ParseID(text); ok {
		return unix, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return 0, fmt.Errorf("--at: expected a day such as 2027-01-01, a time such as 2027-01-01T08:00:00Z, or unix seconds, found %q", text)
	}
	return t.Unix(), nil
}

// find returns the one token that the flags, or the environment, name.
func (f *explainFlags) find(stdin io.Reader, pol *policyFile, ends int64) (*store.Record, error) {
	switch {
	case f.user != "":
		id, _ := strict.ParseID(f.user) // no user has id 0
		claims, err := app.ReadClaims([]byte(f.claims))
		if err != nil {
			return nil, err
		}
		rec := app.UserSession(pol.Policy, id, ends, claims)
		if rec == nil {
			return nil, fmt.Errorf("no user has the id %s", f.user)
		}
		return rec, nil
	case f.token != "":
		id, _ := strict.ParseID(f.token) // no token has id 0
		return one(pol, "the id "+f.token, func(t *policy.Token) bool { return t.ID == id })
	case f.digest != "":
		return findDigest(pol, strings.ToLower(f.digest))
	case f.info != "":
		want := strings.ToLower(f.info)
		return one(pol, fmt.Sprintf("%q in its info", f.info),
			func(t *policy.Token) bool { return strings.Contains(strings.ToLower(t.Info), want) })
	}
	key, err := f.key(stdin)
	if err != nil {
		return nil, err
	}
	digest := store.DigestOf([]byte(key))
	rec, err := one(pol, "this key", func(t *policy.Token) bool { return t.Digest == digest })
	if err == nil || !mayBeSession(pol, key) {
		return rec, err
	}
	if f.mqtt && app.IsBearer(key) {
		return nil, errors.New("this is a token from elsewhere, which MQTT lets nobody in with: requests take it, in Authorization")
	}
	if !f.live {
		return nil, errors.New("no token of the policy has this key: if it is that of a session (a login, or a token of an issuer), it lives in the memory of the running gateway: " +
			"add --live, which asks the gateway who this is, or explain --user ID")
	}
	if app.IsBearer(key) {
		f.bearer = key
	}
	f.away = errOnlyRunning
	return &store.Record{Token: policy.Token{Digest: digest}}, nil
}

// errOnlyRunning says why nothing but a running gateway can be asked.
var errOnlyRunning = errors.New("only the running gateway knows whose key this is")

// mayBeSession reports whether a key that no token of the policy has may be that of a user.
func mayBeSession(pol *policyFile, key string) bool {
	for range pol.Docs(store.Users) {
		return true
	}
	return app.IsBearer(key) // whose user may be made at first sight
}

func findDigest(pol *policyFile, digits string) (*store.Record, error) {
	return one(pol, "the digest "+digits,
		func(t *policy.Token) bool { return strings.HasPrefix(hex.EncodeToString(t.Digest[:]), digits) })
}

// one returns the only record that fits. Which of several is meant is not guessed.
func one(pol *policyFile, what string, fits func(*policy.Token) bool) (found *store.Record, err error) {
	var ids []string
	for _, rec := range pol.Records() {
		if fits(&rec.Token) {
			found = rec
			ids = append(ids, fmt.Sprint(rec.Token.ID))
		}
	}
	switch len(ids) {
	case 0:
		return nil, fmt.Errorf("no token has %s", what)
	case 1:
		return found, nil
	}
	const most = 20
	if more := len(ids) - most; more > 0 {
		ids = append(ids[:most], fmt.Sprintf("and %d more", more))
	}
	return nil, fmt.Errorf("several tokens have %s: name one by --token: %s", what, strings.Join(ids, ", "))
}

// maxBearer is more than a token from elsewhere may have, in bytes.
const maxBearer = 16 << 10

// readKey reads a file that holds a key, or a token from elsewhere. It reads once: what a shell makes of
// <(command) gives its text only once.
func readKey(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return config.ReadKeyFile(path) // which says what is wrong with it
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBearer))
	if err != nil {
		return config.ReadKeyFile(path)
	}
	if bearer := strings.TrimSpace(string(text)); app.IsBearer(bearer) {
		return bearer, nil
	}
	return config.KeyOf(string(text))
}

// key returns the key to explain, from a file, stdin or the environment. No error shows any of it.
func (f *explainFlags) key(stdin io.Reader) (string, error) {
	key := os.Getenv(keyVariable)
	switch f.keyFile {
	case "":
	case "-":
		text, err := io.ReadAll(io.LimitReader(stdin, maxBearer))
		if err != nil {
			return "", fmt.Errorf("cannot read the key: %w", err)
		}
		key = strings.TrimSpace(string(text))
	default:
		return readKey(f.keyFile)
	}
	if !strict.IsKey(key) && !app.IsBearer(key) {
		return "", errors.New("what was given as the key is none: 8 to 256 characters of A-Z a-z 0-9 . _ ~ -")
	}
	return key, nil
}
