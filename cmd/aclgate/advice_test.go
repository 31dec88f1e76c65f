package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/config"
	"aclgate/config/tlsfiles"
)

// What is sound and yet opens more than it seems to is a warning at its place; what is not so is
// none. No warning stops anything.
func TestAdvice(t *testing.T) {
	const quiet = "listen: {address: 127.0.0.1:8080}\nupstream: {urls: ['http://127.0.0.1:9000'], token_file: up.token}\n"
	with := func(old, new string) string { return strings.Replace(quiet, old, new, 1) }
	rows := []struct {
		settings, want string
		mode           os.FileMode
	}{
		{quiet, "", 0o600},
		{quiet, "2:57: warning: upstream.token_file: everybody on this machine can read the key: chmod 600", 0o644},
		{quiet, "", 0o640},
		{quiet + "limits: {shared: redis, redis_url_file: up.token}\n", "2:57: warning: upstream.token_file: everybody on this machine can read the key: chmod 600\n" +
			"3:41: warning: limits.redis_url_file: everybody on this machine can read the key: chmod 600", 0o644},
		{with("127.0.0.1:8080", "':8080'"), "1:19: warning: listen.address: keys of clients cross the network in the clear: set listen.tls, or " +
			"listen on 127.0.0.1 behind a proxy with TLS and name it in listen.trusted_proxies", 0o600},
		{with("127.0.0.1:8080", "':8080', trusted_proxies: [10.0.0.1]"), "", 0o600},
		{with("127.0.0.1:8080", "'[::1]:8080'"), "", 0o600},
		{with("http://127.0.0.1:9000", "http://flespi.io"), "2:18: warning: upstream.urls: http://flespi.io: the gateway's own key crosses the network in the clear: use https://", 0o600},
		{with("http://127.0.0.1:9000", "http://203.0.113.7"), "2:18: warning: upstream.urls: http://203.0.113.7: the gateway's own key crosses the network in the clear: use https://", 0o600},
		{with("http://127.0.0.1:9000", "https://flespi.io"), "", 0o600},
		{with("http://127.0.0.1:9000", "http://backend:9000"), "", 0o600},
		{with("http://127.0.0.1:9000", "http://api.prod.svc:9000"), "", 0o600},
		{with("http://127.0.0.1:9000", "http://10.1.2.3:9000"), "", 0o600},
		{with("8080", "8080, tls: {cert_file: cert.pem, key_file: cert.key}"), "1:52: warning: listen.tls.cert_file: listen.redirect sends " +
			"clients from http to https, and listen.hsts keeps browsers there; neither is set", 0o600},
		{with("8080", "8080, hsts: 1d, tls: {cert_file: cert.pem, key_file: cert.key}"), "", 0o600},
		{quiet + "admin: {token_file: admin.token}\n", "3:21: warning: admin.token_file: the key has 31 characters, and whoever guesses it may do everything: " +
			"make one of 32 or more, such as by openssl rand -hex 32", 0o600},
		{quiet + "admin: {token_file: long.token}\n", "", 0o600},
	}
	longBefore := time.Unix(1600000000, 0) // the certificates of the tests end
	for _, row := range rows {
		dir := write(t, pems())
		file, key := filepath.Join(dir, "aclgate.yaml"), filepath.Join(dir, "up.token")
		admin, long := filepath.Join(dir, "admin.token"), filepath.Join(dir, "long.token")
		for path, text := range map[string]string{file: row.settings, key: "upstream-key\n", admin: strings.Repeat("k", 31) + "\n", long: strings.Repeat("k", 32) + "\n"} {
			if err := os.WriteFile(path, []byte(text), row.mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Join(dir, "cert.key"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, faults := config.Load(file)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", row.settings, faults)
		}
		got := strings.ReplaceAll(advise(s, nil, longBefore).Error(), file+":", "")
		if got != row.want {
			t.Errorf("%s(%o): got\n%q, want\n%q", row.settings, row.mode, got, row.want)
		}
	}
}

// A certificate is warned of from two weeks before its end.
func TestAdviceOfCertificates(t *testing.T) {
	dir := write(t, pems())
	file := filepath.Join(dir, "aclgate.yaml")
	end, err := tlsfiles.End(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	text := "listen: {address: 127.0.0.1:1, hsts: 1d, tls: {cert_file: cert.pem, key_file: cert.key}}\nupstream: {token_file: up}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := config.Load(file)
	day := end.UTC().Format(time.DateOnly)
	for now, want := range map[time.Time]string{
		end.Add(-15 * 24 * time.Hour): "",
		end.Add(-13 * 24 * time.Hour): "the certificate ends on " + day + ": renew it",
		end.Add(time.Second):          "the certificate ended on " + day + ": renew it",
	} {
		got := advise(s, nil, now).Error()
		if want == "" && strings.Contains(got, "renew") || !strings.Contains(got, want) {
			t.Errorf("%s before the end: got %q, want %q", end.Sub(now), got, want)
		}
	}
}

// Tokens that have ended are named, a few of them; those that a ttl keeps alive are none of them.
func TestAdviceOfTokens(t *testing.T) {
	policy := "accounts: [{id: 1}]\ntokens:\n"
	for i := range maxNamed + 2 {
		policy += "  - {id: " + string(rune('1'+i/10)) + string(rune('0'+i%10)) + ", key_sha256: " +
			strings.Repeat("ab", 31) + string(rune('0'+i/10)) + string(rune('0'+i%10)) + ", cid: 1, expire: 1600000000, access: {type: noapi}}\n"
	}
	policy += "  - {id: 90, key_sha256: " + strings.Repeat("cd", 32) + ", cid: 1, expire: 1600000000, ttl: 30d, created: 1600000000, access: {type: noapi}}\n" +
		"  - {id: 91, key_sha256: " + strings.Repeat("ef", 32) + ", cid: 1, expire: 2099-01-01T00:00:00Z, origins: [example.com], access: {type: noapi}}\n"
	dir := write(t, map[string]string{"aclgate.yaml": "upstream: {token_file: up}\n", "policy.yaml": policy, "up": "upstream-key\n"})
	code, stdout, stderr := once(t, "check", "-c", filepath.Join(dir, "aclgate.yaml"))
	file := filepath.Join(dir, "policy.yaml")
	for _, want := range []string{
		file + ":3:1: warning: token 10 ended on 2020-09-13: remove it, or give it a later expire\n",
		file + ":12:1: warning: token 19 ended",
		file + ": warning: 2 more tokens have ended\n",
		file + ":16:", "warning: tokens[13].origins[0]: no browser sends an origin without scheme: write https://example.com\n",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("got\n%s, want %q", stderr, want)
		}
	}
	if strings.Contains(stderr, "token 90") || strings.Contains(stderr, "token 91") || strings.Contains(stderr, "token 20") {
		t.Errorf("got\n%s, want nothing of tokens that live, or that are too many to name", stderr)
	}
	if want := "OK: " + filepath.Join(dir, "aclgate.yaml") + ", policy.yaml (1 account, 14 tokens)\n"; code != exitOK || stdout != want {
		t.Errorf("got %d %q, want %q", code, stdout, want)
	}
}

// What check says of a key that everybody can read, serve says in its log.
func TestServeWarnsOfReadableKeys(t *testing.T) {
	s := newSite(t, siteOptions{})
	if err := os.Chmod(filepath.Join(s.folder, "up.token"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	g.end()
	const want = "upstream.token_file: everybody on this machine can read the key: chmod 600"
	if log := g.stderr.String(); strings.Count(log, want) != 1 || !strings.Contains(log, "WARN") || !strings.Contains(log, "aclgate.yaml:") {
		t.Errorf("got %s", log)
	}
}

// With owners in the store and a policy file that has none, nobody below a root sees anything.
func TestAdviceOfOwners(t *testing.T) {
	b, _ := ownersBackend(t)
	s := newSite(t, siteOptions{settings: fmt.Sprintf(ownersSettings, ""), policy: ownersPolicy, backend: b})
	const want = "warning: scope.owners: the policy file has no owners: every item waits at the roots"
	if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK || !strings.Contains(stderr, want) {
		t.Errorf("got %d %s", code, stderr)
	}
	s.policy(ownersPolicy + "owners: {gw/devices: {11: [1]}}\n")
	if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK || strings.Contains(stderr, "scope.owners") {
		t.Errorf("got %d %s", code, stderr)
	}
}

// Where there is one header nothing is united, and check says so of grants and of roles: of a file and
// of a database. Where an index unites, it is silent.
func TestAdviceOfOneHeader(t *testing.T) {
	t.Parallel()
	const (
		grants = "header unites nothing across accounts, and there is 1 grant: a grantee sees what was granted with x-flespi-cid: GRANTOR alone"
		roles  = "header unites nothing across accounts, and 2 users have rights by roles: "
	)
	with := fmt.Sprintf(gatePolicy, "") + `grants:
- {id: 5, cid: 11, name: vans, grantees: [12], access: [{uri: gw/devices, ids: [7], levels: [view]}]}
realms:
- {id: 1, cid: 11, public_id: acme, name: ACME}
- {id: 2, cid: 11, public_id: rich, name: rich, token_params: {access: {type: 0}}}
users:
- {id: 1, realm_id: 1, name: a}
- {id: 2, realm_id: 2, name: b, roles: [consultant]}
- {id: 3, realm_id: 2, name: c}
`
	s := newSite(t, siteOptions{policy: with})
	if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK || !strings.Contains(stderr, grants) || !strings.Contains(stderr, roles) {
		t.Errorf("got %d %s", code, stderr)
	}
	db := newSite(t, siteOptions{store: "kind: sqlite, path: aclgate.db"})
	for _, args := range [][]string{{"migrate"}, {"import", filepath.Join(s.folder, "policy.yaml")}} {
		if code, _, stderr := once(t, append(append([]string{"store"}, args...), "-c", db.file())...); code != exitOK {
			t.Fatalf("store %s: got %d %s", args[0], code, stderr)
		}
	}
	if code, _, stderr := once(t, "check", "-c", db.file()); code != exitOK || !strings.Contains(stderr, grants) || !strings.Contains(stderr, roles) {
		t.Errorf("of a database: got %d %s", code, stderr)
	}
	s.policy(fmt.Sprintf(gatePolicy, ""))
	if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK || strings.Contains(stderr, "unites nothing") {
		t.Errorf("got %d %s", code, stderr)
	}
}

// A realm that takes the tokens of an issuer which the settings do not have lets nobody in by them: check
// says which, and what was meant.
func TestAdviceOfIssuers(t *testing.T) {
	const issuers = "scope: {mode: none}\nrealms: {issuers: [{name: corp, issuer: 'https://id.example.com', audience: aclgate, algorithms: [RS256]}]}\n"
	of := func(name string) string {
		return "accounts: [{id: 1}]\ntokens: []\nrealms: [{id: 7, cid: 1, public_id: acme, name: ACME, claims: {issuer: " + name + "}}]\n"
	}
	s := newSite(t, siteOptions{policy: of("crop"), settings: issuers})
	s.policy(strings.Replace(of("corp"), "name: ACME", "name: ACME, registration: first-sight", 1))
	if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK || !strings.Contains(stderr, "realm 7 makes users at first sight, which takes a database") {
		t.Errorf("got %d %s", code, stderr)
	}
	for name, want := range map[string]string{
		"crop": `realm 7 takes the tokens of "crop", and no issuer has this name: did you mean "corp"?`, "other": `no issuer has this name: name it there, with its URL`, "corp": "",
	} {
		s.policy(of(name))
		code, _, stderr := once(t, "check", "-c", s.file())
		if code != exitOK || !strings.Contains(stderr, want) || want == "" && strings.Contains(stderr, "no issuer") {
			t.Errorf("%s: got %d %s, want %q", name, code, stderr, want)
		}
	}
}

// Roles that claims give and that count for nothing are named.
func TestAdviceOfMappings(t *testing.T) {
	const issuers = "scope: {mode: ids}\nrealms: {issuers: [{name: corp, issuer: 'https://id.example.com', audience: aclgate, algorithms: [RS256]}]}\n"
	of := func(role string) string {
		return "accounts: [{id: 1}, {id: 11, parent: 1}]\ntokens: []\nrealms: [{id: 7, cid: 11, public_id: acme, name: ACME, claims: {issuer: corp, roles: [{claim: groups, value: a, gives: [" + role + "]}]}}]\n"
	}
	s := newSite(t, siteOptions{policy: of("admin"), settings: issuers})
	for role, want := range map[string]string{"admin": "claims of realm 7 give the role admin, which reaches everything", "account-admin": ""} {
		s.policy(of(role))
		if code, _, stderr := once(t, "check", "-c", s.file()); code != exitOK || !strings.Contains(stderr, want) || want == "" && strings.Contains(stderr, "claims of realm") {
			t.Errorf("%s: got %d %s, want %q", role, code, stderr, want)
		}
	}
	s.policy(of("nobody"))
	if code, _, stderr := once(t, "check", "-c", s.file()); code == exitOK || !strings.Contains(stderr, "realms[0]: claims.roles[0].gives[0]: there is no role called nobody") {
		t.Errorf("got %d %s", code, stderr)
	}
}
