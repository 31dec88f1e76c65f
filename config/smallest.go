package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Start is what a first settings file says. Empty texts are left out of it.
type Start struct {
	Upstream  string // URL of the backend
	TokenFile string // holds the gateway's own credential; "": the caller's own is passed on
	Mode      ScopeMode
	Why       string // why this mode, for a comment
	Accounts  Accounts
	Owners    ScopeOwners // OwnersStore: the accounts of items are kept in a SQLite database
	Schema    string      // the JSON Schema of the file, for editors

	Listen, Admin string // addresses; "": on loopback
	CertFile      string // of TLS, with KeyFile
	KeyFile       string
	AdminToken    string // file
	Audit         string // file
	Policy        string // the policy file, or the database; "": beside the settings
}

// Smallest returns the settings that s asks for, with comments. The values are quoted, not checked:
// Parse does that.
func Smallest(s Start) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if s.Schema != "" {
		line("# yaml-language-server: $schema=%s", s.Schema)
	}
	line("# The settings of aclgate: only what differs from the defaults needs a line.")
	line(`# "aclgate check" reads this file and names every fault in it.`)
	listen := "address: " + quoted(cmp.Or(s.Listen, "127.0.0.1:8080"))
	if s.CertFile != "" {
		listen += fmt.Sprintf(", tls: {cert_file: %s, key_file: %s}", quoted(s.CertFile), quoted(s.KeyFile))
	}
	line("listen: {%s}   # where clients connect", listen)
	admin := "address: " + quoted(cmp.Or(s.Admin, "127.0.0.1:9090"))
	if s.AdminToken != "" {
		line("admin: {%s, token_file: %s}   # /metrics, /healthz, /readyz; with the key also reload and why", admin, quoted(s.AdminToken))
	} else {
		line("admin: {%s}    # /metrics, /healthz, /readyz: never the public listener", admin)
	}
	line("upstream:\n  urls: [%s]", quoted(s.Upstream))
	line(`  token_file: %s   # holds the gateway's own credential; "": the caller's own is passed on`, quoted(s.TokenFile))
	for _, why := range strings.Split(cmp.Or(s.Why, "none: one account; header: the backend keeps accounts apart; ids: the gateway does"), "\n") {
		line("# %s", why)
	}
	scope := "mode: " + string(s.Mode)
	if s.Accounts != "" {
		scope += ", accounts: " + string(s.Accounts)
	}
	if s.Owners != "" {
		scope += ", owners: " + string(s.Owners)
	}
	line("scope: {%s}", scope)
	if s.Owners == OwnersStore {
		line("store: {kind: sqlite, path: %s}   # accounts, tokens and whose items are", quoted(cmp.Or(s.Policy, "aclgate.db")))
	} else {
		line("store: {kind: file, path: %s}   # accounts and tokens", quoted(cmp.Or(s.Policy, "policy.yaml")))
	}
	if s.Audit != "" {
		line("audit: {path: %s}   # what was denied, one JSON object a line", quoted(s.Audit))
	}
	return []byte(b.String())
}

// quoted returns text in double quotes, with the escapes of Go, all of which are YAML's too.
func quoted(text string) string { return strconv.QuoteToASCII(text) }
