package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A token that names no account is of account 1, or of the one that is above all others; an account that is
// not there is answered with those that are.
func TestTokenNewFindsItsAccount(t *testing.T) {
	t.Parallel()
	for accounts, want := range map[string]string{
		"{id: 1}, {id: 2}":                          "token 1 of account 1",
		"{id: 70, name: Root}, {id: 7, parent: 70}": "token 1 of account 70",
		"{id: 5, name: One}, {id: 6, name: Two}":    "policy.yaml has no account 1: add it under accounts: first, or name another with --cid (accounts: 5 One, 6 Two)",
	} {
		folder := write(t, map[string]string{
			"aclgate.yaml": "upstream: {urls: ['http://127.0.0.1:9']}\nstore: {path: policy.yaml}\n",
			"policy.yaml":  "accounts: [" + accounts + "]\ntokens: []\n",
		})
		_, out, errs := once(t, "token", "new", "-c", filepath.Join(folder, "aclgate.yaml"),
			"--into", filepath.Join(folder, "policy.yaml"), "--key-file", filepath.Join(folder, "first.key"))
		if !strings.Contains(out+errs, want) {
			t.Errorf("%s: got %s%s, want %q", accounts, out, errs, want)
		}
	}
	s := newSite(t, siteOptions{})
	code, out, errs := once(t, "token", "new", "--cid", "99", "-c", s.file())
	if want := "warning: the policy has no account 99: add it under accounts: first, or name another with --cid (accounts: 1 operator, 11 fleet, 12 depot)\n"; code != exitOK || !strings.Contains(errs, want) {
		t.Errorf("got %d %s%s, want %q", code, out, errs, want)
	}
	d := databaseSite(t)
	if out := d.runs(exitFailed, "token", "new", "--cid", "99", "--offline"); !strings.Contains(out, "there is no account 99: ") || !strings.Contains(out, "(accounts: 1 operator, 11 ACME, 12 Harbour, 111 North)") {
		t.Errorf("got %s", out)
	}
}
