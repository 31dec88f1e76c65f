package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/deploy"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/upstream/survey"
)

// Names of the files that init writes beside the settings.
const (
	policyName     = "policy.yaml"
	upstreamName   = "upstream.token"
	adminName      = "admin.token"
	auditName      = "audit.jsonl"
	unitName       = "aclgate.service"
	composeName    = "compose.yaml"
	certName       = "tls.crt"
	certKeyName    = "tls.key"
	settingsSchema = "aclgate.schema.json"
	policySchema   = "policy.schema.json"
)

// surveyFor is how long init looks at the backend.
const surveyFor = 30 * time.Second

// initFlags say what is written.
type initFlags struct {
	url, mode        string
	listen, control  string // addresses of the public and of the admin listener; "": the usual ones
	admin, audit     bool
	tls              string // host
	systemd, compose bool
	schema           bool
	owners           bool // the gateway keeps whose items are, in a database
}

func (e *env) init() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use:   "init --upstream URL",
		Short: "Write settings and policy that fit the backend",
		Long: `Write aclgate.yaml and, beside it, policy.yaml: the smallest pair that works.
If a file exists, nothing is written.

If upstream.token holds the backend's key, the backend is asked first, with GET
alone: what it lists, whether its rows have a cid, whether it obeys x-flespi-cid,
and which accounts it knows. The settings say what was seen. Without a key, or
with --mode, it is not asked.

  echo 'THE-BACKENDS-OWN-KEY' > upstream.token && chmod 600 upstream.token
  aclgate init --upstream http://127.0.0.1:9000
  aclgate init --upstream https://flespi.io --admin-token --audit --systemd
  aclgate init --upstream http://127.0.0.1:9000 --listen 127.0.0.1:8081 --admin-listen 127.0.0.1:9091

With --owners the gateway keeps whose items are, in a database: for a backend
whose rows have no cid, and several accounts. See docs/item-index.md. The backend
is not asked then.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runInit(cmd.Context(), &f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.url, "upstream", "", "URL of the backend (required)")
	flags.StringVar(&f.mode, "mode", "", "who keeps accounts apart: none (there is one), header (the backend), ids (the gateway) or both; default: as the backend is")
	flags.StringVar(&f.listen, "listen", "", "host:port where clients connect (listen.address; default 127.0.0.1:8080, with --tls 127.0.0.1:8443)")
	flags.StringVar(&f.control, "admin-listen", "", "host:port of metrics, health and administration (admin.address; default 127.0.0.1:9090)")
	flags.BoolVar(&f.admin, "admin-token", false, "make a key for the admin listener: reload, why, and what changes things")
	flags.BoolVar(&f.audit, "audit", false, "keep an audit log")
	flags.StringVar(&f.tls, "tls", "", "serve TLS as this host, with a certificate that signs itself, to be replaced by yours")
	flags.BoolVar(&f.systemd, "systemd", false, "write aclgate.service, too")
	flags.BoolVar(&f.compose, "compose", false, "write compose.yaml, too, and listen as a container does")
	flags.BoolVar(&f.owners, "owners", false, "keep whose items are in a database, for a backend that knows no accounts: --mode ids, --admin-token")
	flags.BoolVar(&f.schema, "schema", false, "write JSON Schemas of both files, too, for editors")
	return c
}

func (e *env) runInit(ctx context.Context, f *initFlags) error {
	// Whoever reads only the beginning, as head does, gets all files nevertheless.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	if f.url == "" {
		return errors.New("init needs --upstream URL, for example --upstream http://127.0.0.1:9000")
	}
	if err := oneOf("--mode", f.mode, []string{"none", "header", "ids", "both"}); err != nil {
		return err
	}
	if f.owners {
		if f.mode != "" && f.mode != string(config.ScopeIDs) {
			return errors.New("--owners takes --mode ids: the gateway keeps accounts apart")
		}
		f.mode, f.admin = string(config.ScopeIDs), true // who makes tokens asks the running gateway
	}
	if f.systemd && f.compose {
		return errors.New("--systemd and --compose exclude each other: a unit and a container have their files elsewhere")
	}
	if err := f.addresses(); err != nil {
		return err
	}
	f.url = strings.TrimSuffix(f.url, "/") // as a browser shows the address of a host
	start := f.start()
	if err := f.refused(e.file, start); err != nil {
		return err
	}
	folder := filepath.Dir(e.file)
	if err := free(e.file, filepath.Join(folder, policyName)); err != nil {
		return failed(err)
	}
	keyFile := filepath.Join(folder, upstreamName)
	key, keyErr := config.ReadKeyFile(keyFile)
	if keyErr != nil && !errors.Is(keyErr, os.ErrNotExist) {
		return failed(fmt.Errorf("%s: %w; nothing was written", keyFile, keyErr))
	}
	var found *survey.Result
	if f.mode == "" {
		asking := e.during("asking the backend")
		found = e.survey(ctx, f.url, key, keyErr, &start)
		asking.end()
	}
	accounts := accountsOf(found, start.Mode)
	files, err := f.files(start, accounts)
	if err != nil {
		return failed(err)
	}
	files[0].name = filepath.Base(e.file)
	if err := e.writeAll(folder, files); err != nil {
		return failed(err)
	}
	if found == nil && f.mode == "" {
		e.sayAgain(folder, files)
	}
	e.sayNext(folder, f, keyErr == nil, found, accounts)
	return nil
}

// start returns the settings as far as the flags say.
func (f *initFlags) start() config.Start {
	s := config.Start{Upstream: f.url, TokenFile: upstreamName, Mode: config.ScopeMode(cmp.Or(f.mode, string(config.ScopeNone)))}
	if f.admin {
		s.AdminToken = adminName
	}
	if f.audit {
		s.Audit = auditName
	}
	if f.schema {
		s.Schema = settingsSchema
	}
	if f.tls != "" {
		s.CertFile, s.KeyFile, s.Listen = certName, certKeyName, "127.0.0.1:8443"
	}
	s.Listen, s.Admin = cmp.Or(f.listen, s.Listen), cmp.Or(f.control, s.Admin)
	if f.compose { // what of the host may connect, the ports that are published say
		_, port := hostPort(cmp.Or(f.listen, ":8080"))
		_, admin := hostPort(cmp.Or(f.control, ":9090"))
		s.Listen, s.Admin = ":"+port, ":"+admin
	}
	if f.owners {
		s.Owners, s.Why = config.OwnersStore, "The backend knows no accounts: the gateway keeps whose items are, and keeps accounts apart."
	}
	if f.systemd {
		s.Policy = "/var/lib/aclgate/" + policyName
		if f.owners {
			s.Policy = "/var/lib/aclgate/aclgate.db"
		}
		if f.audit {
			s.Audit = "/var/log/aclgate/" + auditName
		}
	}
	return s
}

// ownersHead begins a policy that is read once: what of a policy file is said there would be wrong.
const ownersHead = `# Who may do what, for a beginning. "aclgate store import" puts it into the database, which
# counts from then on: later changes here do nothing by themselves.`

// ownersHint is in a policy that goes into a database with whose items are.
const ownersHint = `
# Whose items are, as far as you know it; "aclgate item assign" says it later, too.
# owners: {gw/devices: {11: [101, "102-103"]}}
`

// newFile is a file to be written.
type newFile struct {
	name string
	text []byte
}

// files returns everything that is written, the settings first.
func (f *initFlags) files(start config.Start, accounts []policy.Account) ([]newFile, error) {
	pol := store.Template(accounts)
	if f.owners {
		_, rest, _ := bytes.Cut(pol, []byte("\n\n"))
		pol = slices.Concat([]byte(ownersHead+"\n\n"), rest, []byte(ownersHint))
	}
	if f.schema {
		pol = append([]byte("# yaml-language-server: $schema="+policySchema+"\n"), pol...)
	}
	files := []newFile{{"", config.Smallest(start)}, {policyName, pol}}
	if f.admin {
		key, _ := store.NewKey()
		files = append(files, newFile{adminName, []byte(key + "\n")})
	}
	if f.tls != "" {
		cert, key, err := selfSigned(f.tls, time.Now())
		if err != nil {
			return nil, err
		}
		files = append(files, newFile{certName, cert}, newFile{certKeyName, key})
	}
	if f.systemd {
		files = append(files, newFile{unitName, deploy.SystemdUnitFor(isPrivileged(start.Listen) || isPrivileged(start.Admin))})
	}
	if f.compose {
		files = append(files, newFile{composeName, f.composeFile()})
	}
	if f.schema {
		files = append(files, newFile{settingsSchema, config.Schema()}, newFile{policySchema, store.Schema()})
	}
	return files, nil
}

// survey asks the backend what it is, and has the settings say so. It returns nil where nothing was
// seen.
func (e *env) survey(ctx context.Context, backend, key string, keyErr error, start *config.Start) *survey.Result {
	cat, err := routes.Load("")
	if err != nil {
		panic(err) // the catalogue is built in, and tests load it
	}
	ctx, stop := context.WithTimeout(ctx, surveyFor)
	defer stop()
	fmt.Fprintf(e.stdout, "asking %s …\n", backend)
	found, err := survey.Run(ctx, backend, key, cat, nil)
	if err != nil {
		why := err.Error()
		switch {
		case errors.Is(err, survey.ErrUnauthorized) && keyErr != nil:
			why = "it wants a key, and " + upstreamName + " is not there"
		case errors.Is(err, survey.ErrUnauthorized):
			why += ": it does not take the key in " + upstreamName
		case errors.As(err, &x509.UnknownAuthorityError{}):
			why += ". If that authority is your own, say SSL_CERT_FILE=ca.pem before aclgate init, and name the file in upstream.tls.ca_file afterwards"
		}
		fmt.Fprintf(e.stdout, "nothing was learnt of it: %s\n", why)
		fmt.Fprintf(e.stdout, "scope.mode is header until somebody knows better: it serves nothing that only accounts limit before\n"+
			"the backend was seen to keep them apart.\n\n")
		start.Mode = config.ScopeHeader
		start.Why = "Not known yet: " + why + ". header: the backend keeps accounts apart, which the gateway checks;\n" +
			"ids: the gateway does, by the cid of each row; none: there is one account, and nothing is kept apart."
		return nil
	}
	start.Mode, start.Accounts, start.Why = fitting(found)
	fmt.Fprintf(e.stdout, "%s\nscope.mode: %s\n\n", start.Why, start.Mode)
	return found
}

// fitting returns the settings of scope that fit a backend, and why.
func fitting(r *survey.Result) (config.ScopeMode, config.Accounts, string) {
	var accounts config.Accounts
	seen := "Seen: " + r.String() + ".\n"
	if len(r.Accounts) > 0 {
		seen += "It knows " + counted(len(r.Accounts), "account", "accounts") + " (/platform/subaccounts), which the gateway reads from there.\n"
		accounts = config.AccountsBackend
	}
	switch {
	case r.Obeys == survey.Yes:
		return config.ScopeHeader, accounts, seen + "It obeys x-flespi-cid, so it keeps accounts apart itself."
	case r.Obeys == survey.No:
		return config.ScopeIDs, accounts, seen + "It ignores x-flespi-cid, so the gateway keeps accounts apart, by the cid of each row.\n" +
			"A creation gets the cid of its account in its body; a backend that ignores it there needs scope.owners store."
	case r.Items > 0 && r.Owned == 0:
		return config.ScopeNone, "", "Seen: " + r.String() + ".\n" +
			"Its rows have no cid, so accounts cannot be kept apart by them: one account for all.\nFor several: the same init with --owners, in another folder."
	case r.Items > r.Owned:
		return config.ScopeIDs, accounts, seen + "Rows without a cid belong to nobody: no token reaches them."
	case len(r.CIDs) > 1 || len(r.Accounts) > 1:
		return config.ScopeHeader, accounts, seen + "Nothing showed yet whether it obeys x-flespi-cid: aclgate verifies this at startup and hourly. If the backend ignores the header, requests protected only by it get 503."
	}
	return config.ScopeNone, "", "Seen: " + r.String() + ".\nOne account is all there is. For several: header if the backend obeys x-flespi-cid, else ids."
}

// mostNamed is how many accounts of the backend a policy names for a beginning.
const mostNamed = 200

// accountsOf returns the accounts for the policy: those of the rows where the backend names none, below
// an operator's own where the gateway keeps them apart. Of a tree that is the backend's the root counts;
// tokens can be of those that the policy names beside it.
func accountsOf(r *survey.Result, mode config.ScopeMode) []policy.Account {
	switch {
	case r == nil:
		return nil
	case len(r.Accounts) > 0:
		all := []policy.Account{{ID: r.Accounts[0].ID, Name: cmp.Or(r.Accounts[0].Name, "operator")}}
		if mode != config.ScopeNone && len(r.Accounts) <= mostNamed {
			for _, a := range r.Accounts[1:] {
				all = append(all, policy.Account{ID: a.ID, Parent: a.Parent, Name: a.Name})
			}
		}
		return all
	case len(r.CIDs) == 0 || mode == config.ScopeNone:
		return nil
	}
	if r.Obeys == survey.Yes { // the backend would refuse an account that it does not know
		var all []policy.Account
		for _, cid := range r.CIDs {
			all = append(all, policy.Account{ID: cid, Parent: r.Above[cid]})
		}
		return all
	}
	const root = 1
	all := []policy.Account{{ID: root, Name: "operator"}}
	for _, cid := range r.CIDs {
		if cid != root {
			all = append(all, policy.Account{ID: cid, Parent: root})
		}
	}
	return all
}

// writeAll writes files that must not exist yet, none or all of them, for their owner alone: what is
// in them is nobody else's business.
func (e *env) writeAll(folder string, files []newFile) error {
	for _, f := range files {
		if err := free(filepath.Join(folder, f.name)); err != nil {
			return err
		}
	}
	for i, f := range files {
		if err := writeNew(filepath.Join(folder, f.name), f.text, 0o600); err != nil {
			for _, written := range files[:i] {
				_ = os.Remove(filepath.Join(folder, written.name))
			}
			return err
		}
	}
	for _, f := range files {
		fmt.Fprintln(e.stdout, "wrote", filepath.Join(folder, f.name))
	}
	return nil
}

// free returns an error if one of the files exists.
func free(paths ...string) error {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s exists already: nothing was written; move it away, or begin in an empty folder", path)
		}
	}
	return nil
}

// writeNew writes a file that must not exist yet: nothing of the operator's is ever overwritten.
func writeNew(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already", path)
	}
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err != nil {
		f.Close()
		_ = os.Remove(path)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return f.Close()
}
