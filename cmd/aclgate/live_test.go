package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aclgate/proxy/login/jwt/jwttest"
)

// What only the index knows, explain --live asks the backend; check --live reads the index once.
func TestLive(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{settings: "scope: {mode: ids}\n"})
	g.end()
	file := filepath.Join(g.folder, "aclgate.yaml")
	g.policy(strings.Replace(gatePolicy, "%s", "  - {id: 5, key: of-the-fleet, cid: 11, expire: 4102444800, access: {type: standard}}\n", 1))
	rows := []struct {
		args []string
		says string
	}{
		{[]string{"check", "--live"}, "live: read "},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/101"}, "gw/devices 101 permitted"},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/201"}, "it belongs to account 12 (depot), outside the"},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/name=truck*"}, "Backend   gets GET /gw/devices/101,102"},
		{[]string{"explain", "--live", "--token", "5", "GET", "/gw/devices/101/../102"}, "bad-target"},
		{[]string{"explain", "--live", "--token", "5", "--cid", "12", "GET", "/gw/devices/all"}, "foreign-account"},
		{[]string{"explain", "--token", "5", "GET", "/gw/devices/101"}, "UNRESOLVED"},
	}
	for _, row := range rows {
		code, stdout, stderr := once(t, append(row.args, "-c", file)...)
		if code != exitOK || !strings.Contains(stdout, row.says) {
			t.Errorf("%v: got %d %s%s, want %q", row.args, code, stdout, stderr, row.says)
		}
	}
}

// check --live asks the issuers for their keys, and names who does not show them.
func TestCheckAsksIssuers(t *testing.T) {
	t.Parallel()
	i := jwttest.New(t)
	s := newSite(t, siteOptions{settings: fmt.Sprintf("realms: {issuers: [{name: corp, issuer: %q}, {name: away, issuer: 'https://127.0.0.1:1'}]}\n", i.URL)})
	s.replace("issuer.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})))
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	check := func() (string, error) {
		cmd := exec.Command(binary, "check", "--live", "-c", s.file())
		cmd.Env = append(os.Environ(), childVariable+"=1", "SSL_CERT_FILE="+filepath.Join(s.folder, "issuer.pem"))
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	text, err := check()
	if err == nil || !strings.Contains(text, "live: issuer corp has 3 keys\n") || !strings.Contains(text, "the keys of issuer away cannot be read: ") || !strings.Contains(text, "connection refused") {
		t.Errorf("got %v %s", err, text)
	}
	s.replace("aclgate.yaml", strings.Replace(readText(t, s.file()), ", {name: away, issuer: 'https://127.0.0.1:1'}", "", 1))
	if text, err = check(); err != nil || !strings.Contains(text, "live: issuer corp has 3 keys\n") {
		t.Errorf("got %v %s", err, text)
	}
}
