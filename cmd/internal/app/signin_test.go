package app_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/bench/backend"
	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/proxy/login/jwt/jwttest"
)

const signInPolicy = `accounts: [{id: 1}, {id: 11, parent: 1}, {id: 12, parent: 1}]
realms:
  - {id: 1, cid: 11, public_id: acme, name: ACME, audience: aclgate, claims: {issuer: corp}, token_params: {access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}}}
users:
  - {id: 5, realm_id: 1, name: client-7}
tokens: []
`

// signInSite is a gateway in front of devices 1 of account 11 and 3 of account 12, with an issuer called corp.
type signInSite struct {
	t          *testing.T
	issuer     *jwttest.Issuer
	api, admin string
	folder     string
}

func newSignInSite(t *testing.T, policy string) *signInSite {
	t.Helper()
	world := backend.NewWorld(backend.Account{ID: 1}, backend.Account{ID: 11, Parent: 1}, backend.Account{ID: 12, Parent: 1})
	for id, cid := range map[int64]int64{1: 11, 3: 12} {
		if err := world.Add("gw/devices", backend.Item{ID: id, CID: cid, Fields: backend.Fields{"name": "d"}}); err != nil {
			t.Fatal(err)
		}
	}
	b := backend.New(world, backend.Options{Key: "upstream-key"})
	url, err := b.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	i := jwttest.New(t)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"policy.yaml": policy, "up.token": "upstream-key",
		"aclgate.yaml": fmt.Sprintf("listen: {address: '127.0.0.1:0'}\nadmin: {address: '127.0.0.1:0'}\nupstream: {urls: [%q], token_file: up.token}\nscope: {mode: ids}\n"+
			"realms: {issuers: [{name: corp, issuer: %q}]}\n", url, i.URL),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, faults := config.Load(filepath.Join(folder, "aclgate.yaml"))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(i.Certificate())
	ready := make(chan string, 2)
	a, err := app.New(s, slog.New(slog.NewTextHandler(io.Discard, nil)), app.Options{
		IssuerRoots: roots, Ready: func(api, admin net.Addr) { ready <- api.String(); ready <- admin.String() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return &signInSite{t, i, "http://" + <-ready, "http://" + <-ready, folder}
}

func (s *signInSite) sign(claims string) string {
	return jwttest.Sign(s.t, s.issuer.RSA, `{"alg":"RS256","kid":"rsa"}`, claims)
}

// ask asks the gateway, and waits until its index is read.
func (s *signInSite) ask(authorization, target string) (int, string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		req, _ := http.NewRequest("GET", s.api+target, nil)
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 503 || time.Now().After(deadline) {
			return resp.StatusCode, string(text)
		}
	}
}

// A client with a token of an issuer has what its user and realm say; whatever is wrong with one, it
// gets the one 401, and the token is taken in Authorization alone.
func TestSignIn(t *testing.T) {
	s := newSignInSite(t, signInPolicy)
	now := time.Now().Unix()
	i, sign, ask := s.issuer, s.sign, s.ask
	good := sign(fmt.Sprintf(`{"iss":%q,"sub":"client-7","aud":"aclgate","iat":%d,"exp":%d,"x":%q}`, i.URL, now, now+600, strings.Repeat("x", 3000)))
	for _, authorization := range []string{"Bearer " + good, "FlespiToken " + good, good} {
		if status, text := ask(authorization, "/gw/devices/all?fields=id"); status != 200 || text != `{"result":[{"id":1}]}` {
			t.Errorf("got %d %s", status, text)
		}
	}
	if status, text := ask("Bearer "+good, "/gw/devices/3"); status != 403 || !strings.Contains(text, `"id":3`) {
		t.Errorf("got %d %s", status, text)
	}
	const refused = `{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}`
	for name, token := range map[string]string{
		"another audience": sign(fmt.Sprintf(`{"iss":%q,"sub":"client-7","aud":"x","iat":%d,"exp":%d}`, i.URL, now, now+600)),
		"another subject":  sign(fmt.Sprintf(`{"iss":%q,"sub":"client-8","aud":"aclgate","iat":%d,"exp":%d}`, i.URL, now, now+600)),
		"expired":          sign(fmt.Sprintf(`{"iss":%q,"sub":"client-7","aud":"aclgate","iat":%d,"exp":%d}`, i.URL, now-600, now-100)),
		"a cut signature":  good[:len(good)-2],
		"too long":         good + strings.Repeat("x", 8200-len(good)),
	} {
		if status, text := ask(token, "/gw/devices/all"); status != 401 && name != "too long" || status == 401 && text != refused || status == 200 {
			t.Errorf("%s: got %d %s", name, status, text)
		}
	}
	if status, _ := ask("", "/gw/devices/all?token="+good); status != 400 {
		t.Errorf("in the query: got %d", status)
	}
	resp, err := http.Get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	scrape, _ := io.ReadAll(resp.Body)
	for _, want := range []string{`aclgate_jwt_verifications_total{outcome="accepted"} 1`, `aclgate_issuer_failing{issuer="corp"} 0`} {
		if !strings.Contains(string(scrape), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

const claimsPolicy = `accounts: [{id: 1}, {id: 11, parent: 1}, {id: 12, parent: 1, consultancy_account_id: 11}]
realms:
  - id: 1
    cid: 11
    public_id: acme
    name: ACME
    audience: aclgate
    claims: {issuer: corp, roles: [{claim: realm_access.roles, value: adviser, gives: [consultant]}]}
users:
  - {id: 5, realm_id: 1, name: client-7}
tokens: []
`

// Claims give roles to who comes with them and to nobody else, and what the policy says now is what a token
// has that was remembered before.
func TestSignInWithClaims(t *testing.T) {
	s := newSignInSite(t, claimsPolicy)
	now := time.Now().Unix()
	with := func(more string) string {
		return "Bearer " + s.sign(fmt.Sprintf(`{"iss":%q,"sub":"client-7","aud":"aclgate","iat":%d,"exp":%d%s}`, s.issuer.URL, now, now+600, more))
	}
	adviser, nobody := with(`,"realm_access":{"roles":["x","adviser"]}`), with(`,"realm_access":{"roles":["consultant"]}`)
	const mine, both = `{"result":[{"id":1}]}`, `{"result":[{"id":1},{"id":3}]}`
	is := func(when, token, want string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) { // a policy file is looked at again and again
			status, text := s.ask(token, "/gw/devices/all?fields=id")
			if status == 200 && text == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %d %s, want %s", when, status, text, want)
			}
		}
	}
	is("with the claim", adviser, both)
	is("with the name of a role", nobody, mine)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.folder, "next"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(s.folder, "next"), filepath.Join(s.folder, "policy.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(claimsPolicy, "value: adviser", "value: consultant", 1))
	is("the mapping has changed", adviser, mine)
	is("the mapping has changed", nobody, both)
	write(strings.Replace(claimsPolicy, "consultancy_account_id: 11", "name: alone", 1))
	is("nobody is consulted", adviser, mine)
}
