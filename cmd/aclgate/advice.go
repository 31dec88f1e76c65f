package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/config/tlsfiles"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

const (
	// soonEnding is how long before its end a certificate is worth a warning.
	soonEnding = 14 * 24 * time.Hour
	// maxNamed is how many tokens are warned of one by one.
	maxNamed = 10
	// enough is how many characters make a key that nobody guesses, even of hexadecimal digits: 128 bits.
	enough = 32
)

// adviser warns of what is sound and yet opens more, or less, than it seems to.
type adviser struct {
	s      *config.Settings
	now    time.Time
	faults strict.Faults
}

// advise returns the warnings about settings that have no fault, the files that they name and the
// policy, which may be nil.
func advise(s *config.Settings, pol *policyFile, now time.Time) strict.Faults {
	a := adviser{s: s, now: now}
	a.settings()
	a.clearText()
	a.certificates()
	a.secrets()
	a.guessable()
	if pol != nil && s.Store.Kind == config.StoreFile {
		a.tokens(s.Store.Path.Path, pol.Policy)
		a.owners(pol.Policy)
	}
	if pol != nil && s.Scope.Mode == config.ScopeHeader {
		a.oneHeader(pol.Policy)
	}
	if pol != nil {
		a.issuers(pol.Policy)
		for _, idle := range app.IdleMappings(pol.Policy) {
			a.warn("realms.issuers", "%s", idle)
		}
	}
	return a.faults
}

func (a *adviser) warn(setting, format string, args ...any) {
	at := a.s.Pos(setting)
	a.faults = append(a.faults, strict.Fault{
		File: a.s.Name(), Line: at.Line, Col: at.Col, Message: setting + ": " + fmt.Sprintf(format, args...), Warning: true,
	})
}

func (a *adviser) settings() {
	s := a.s
	if s.Scope.TrustHeader {
		a.warn("scope.trust_header", "nobody looks whether the backend obeys x-flespi-cid")
	}
	if !s.Upstream.Token.IsSet() {
		a.warn("upstream.token_file", "the callers' own keys are passed on: each has to be a key of the backend too")
	}
	if s.MQTT.On() && !s.MQTT.Upstream.Token.IsSet() {
		a.warn("mqtt.upstream.token_file", "the callers' own keys are passed on: each has to be one of the broker's too")
	}
	if l := s.Listen; l.TLS.Cert.IsSet() && l.Redirect == "" && l.HSTS == 0 {
		a.warn("listen.tls.cert_file", "listen.redirect sends clients from http to https, and listen.hsts keeps browsers there; neither is set")
	}
}

// clearText warns of keys that cross a network in the clear. A listener behind a trusted proxy has
// TLS in front of it.
func (a *adviser) clearText() {
	l := a.s.Listen
	if !l.TLS.Cert.IsSet() && len(l.TrustedProxies) == 0 && !isPrivate(l.Address) {
		a.warn("listen.address", "keys of clients cross the network in the clear: set listen.tls, or listen on 127.0.0.1 behind a proxy with TLS and name it in listen.trusted_proxies")
	}
	for _, u := range a.s.Upstream.URLs {
		if !u.TLS() && isPublicName(u.Host) {
			a.warn("upstream.urls", "%s: the gateway's own key crosses the network in the clear: use https://", u)
		}
	}
}

// isPrivate reports whether only this machine reaches an address to listen on.
func isPrivate(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// isPublicName reports whether a host, with its port or without, lies in the public internet, as far
// as its name says.
func isPublicName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsGlobalUnicast() && !ip.IsPrivate()
	}
	host = strings.TrimSuffix(host, ".")
	for _, inner := range []string{".local", ".internal", ".lan", ".test", ".localhost", ".home.arpa", ".svc"} { // RFC 6761, 6762, 8375
		if strings.HasSuffix(host, inner) {
			return false
		}
	}
	return strings.Contains(host, ".")
}

// namedFile is a file with the setting that names it.
type namedFile struct {
	setting string
	file    config.File
}

// certificates warns of those that have ended or will soon.
func (a *adviser) certificates() {
	s := a.s
	for _, cert := range []namedFile{
		{"listen.tls.cert_file", s.Listen.TLS.Cert}, {"upstream.tls.cert_file", s.Upstream.TLS.Cert}, {"mqtt.tls.cert_file", s.MQTT.TLS.Cert},
	} {
		end, err := tlsfiles.End(cert.file.Path)
		day := end.UTC().Format(time.DateOnly)
		switch {
		case !cert.file.IsSet() || err != nil: // what cannot be read is a fault already
		case !end.After(a.now):
			a.warn(cert.setting, "the certificate ended on %s: renew it", day)
		case end.Before(a.now.Add(soonEnding)):
			a.warn(cert.setting, "the certificate ends on %s: renew it", day)
		}
	}
}

// secrets warns of files with a key that everybody on the machine can read.
func (a *adviser) secrets() {
	s := a.s
	for _, secret := range []namedFile{
		{"admin.token_file", s.Admin.Token}, {"upstream.token_file", s.Upstream.Token}, {"mqtt.upstream.token_file", s.MQTT.Upstream.Token},
		{"store.url_file", s.Store.URL}, {"store.admin_url_file", s.Store.AdminURL}, {"limits.redis_url_file", s.Limits.RedisURL},
		{"listen.tls.key_file", s.Listen.TLS.Key}, {"upstream.tls.key_file", s.Upstream.TLS.Key}, {"mqtt.tls.key_file", s.MQTT.TLS.Key},
	} {
		info, err := os.Stat(secret.file.Path)
		if secret.file.IsSet() && err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
			a.warn(secret.setting, "everybody on this machine can read the key: chmod 600")
		}
	}
}

// guessable warns of a key of the administration that is short: it is made by hand, and opens everything.
func (a *adviser) guessable() {
	if !a.s.Admin.Token.IsSet() {
		return
	}
	if key, err := config.ReadKeyFile(a.s.Admin.Token.Path); err == nil && len(key) < enough {
		a.warn("admin.token_file", "the key has %d characters, and whoever guesses it may do everything: make one of %d or more, such as by openssl rand -hex 32", len(key), enough)
	}
}

// owners warns where nothing says whose items are, which the store should say.
func (a *adviser) owners(pol *store.Policy) {
	if a.s.Scope.Owners != config.OwnersStore {
		return
	}
	for range pol.Owners {
		return
	}
	a.warn("scope.owners", "the policy file has no owners: every item waits at the roots, and accounts below see nothing: write "+
		"owners: {gw/devices: {11: [1, \"100-199\"]}}, or use store.kind sqlite, which records what is created")
}

// oneHeader warns where the backend enforces the tree by one header, and somebody has more than one
// branch (SPEC 11): what they have beside it, no list of theirs shows.
func (a *adviser) oneHeader(pol *store.Policy) {
	if n := len(pol.Grants().All()); n > 0 {
		a.warn("scope.mode", "header unites nothing across accounts, and there %s %d %s: a grantee sees what was granted with x-flespi-cid: GRANTOR alone, and its own without; "+
			"ids and both show them in one list", plural(n, "is", "are"), n, plural(n, "grant", "grants"))
	}
	n := 0
	for _, doc := range pol.Docs(store.Users) {
		if user, err := record.Parse(doc); err == nil && a.byRoles(pol, user) {
			n++
		}
	}
	if n > 0 {
		a.warn("scope.mode", "header unites nothing across accounts, and %d %s rights by roles: the first role counts that reaches the whole branch of the account and permits the request; "+
			"reach own opens nothing where accounts lie below, and who consults clients names one in x-flespi-cid", n, plural(n, "user has", "users have"))
	}
}

// issuers warns of realms that take the tokens of an issuer which the settings do not have, or would make
// users where nobody can: whoever comes with one gets a 401.
func (a *adviser) issuers(pol *store.Policy) {
	var known []string
	for _, i := range a.s.Realms.Issuers {
		known = append(known, i.Name)
	}
	for id, doc := range pol.Docs(store.Realms) {
		realm, err := record.Parse(doc)
		if err != nil {
			continue
		}
		if a.s.Store.Kind == config.StoreFile && realm.Get("registration").Text == "first-sight" {
			a.warn("store.kind", "realm %d makes users at first sight, which takes a database: with a policy file whoever is not among its users gets 401", id)
		}
		name := realm.Get("claims").Get("issuer").Text
		if name == "" || slices.Contains(known, name) {
			continue
		}
		hint := "name it there, with its URL"
		if near, found := strict.Nearest(name, known); found {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		a.warn("realms.issuers", "realm %d takes the tokens of %q, and no issuer has this name: %s", id, name, hint)
	}
}

// byRoles reports whether a user has rights by roles: their own, or that of every member of a realm
// which says no access.
func (a *adviser) byRoles(pol *store.Policy, user record.Value) bool {
	realm, err := record.Parse(pol.Doc(store.Realms, record.NumberOf(user, "realm_id")))
	return len(user.Get("roles").Items) > 0 || err == nil && realm.Get("token_params").Get("access").Shape == record.Absent
}

// tokens warns of those that have ended: whoever calls with one gets a 401.
func (a *adviser) tokens(file string, pol *store.Policy) {
	ended := 0
	for _, rec := range pol.Records() {
		t := &rec.Token
		if t.Expire == 0 || t.TTL != 0 || t.Expire > a.now.Unix() {
			continue
		}
		if ended++; ended <= maxNamed {
			a.faults = append(a.faults, strict.Fault{File: file, Line: t.Line, Col: 1, Warning: true, Message: fmt.Sprintf(
				"token %d ended on %s: remove it, or give it a later expire", t.ID, time.Unix(t.Expire, 0).UTC().Format(time.DateOnly))})
		}
	}
	if more := ended - maxNamed; more > 0 {
		a.faults = append(a.faults, strict.Fault{File: file, Warning: true, Message: fmt.Sprintf("%d more %s ended", more, plural(more, "token has", "tokens have"))})
	}
}
