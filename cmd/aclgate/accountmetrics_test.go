package main

import (
	"path/filepath"
	"testing"
)

// Administration shows in the metrics: tokens that were made, root accounts without a master, blocked
// accounts, and what the accounts that metrics.accounts names use of what bounds them.
func TestMetricsOfAccounts(t *testing.T) {
	t.Parallel()
	const policy = platformPolicy + `limits: [{id: 1, cid: 1, name: small, api_calls: 600, devices_count: 5}, {id: 2, cid: 1, name: tight, api_calls: 0, blocking_duration: 60, tokens_count: 9}]
`
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", policy: policy,
		settings: "log: {level: error}\nscope: {mode: ids, owners: store}\nmetrics: {accounts: [11, 111]}\n"})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	c := &child{site: s, stdout: new(safeBuffer), stderr: new(safeBuffer)}
	c.start(childOptions{})
	wants := func(all map[string]float64) {
		t.Helper()
		for name, want := range all {
			if got := c.metric(name); got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
	}
	wants(map[string]float64{
		`aclgate_tokens_made_total{access="master"}`: 0, `aclgate_accounts_blocked{by="limit"}`: 0, `aclgate_accounts_blocked{by="hand"}`: 1,
		`aclgate_roots_without_master`: 0, `aclgate_account_calls_total{account="11"}`: 0,
	})
	for path, body := range map[string]string{
		"/platform/tokens":                   `{"cid":1,"access":{"type":1},"expire":4102444000}`,
		"/platform/subaccounts/11?fields=id": `{"limit_id":1}`,
		"/platform/tokens/18?fields=id":      `{"access":{"type":1}}`,
	} {
		method := map[bool]string{true: "POST", false: "PUT"}[path == "/platform/tokens"]
		if status, text := c.asOperator(method, path, body); status != 200 {
			t.Fatalf("%s: got %d %s", path, status, text)
		}
	}
	for _, key := range []string{masterKey, masterKey, "key-of-a-standard-token"} { // of 11, 11 and 111 below it
		if status, text := call(t, key, "GET", c.api+"/auth/info", ""); status != 200 {
			t.Fatalf("got %d %s", status, text)
		}
	}
	wants(map[string]float64{
		`aclgate_tokens_made_total{access="master"}`: 2, `aclgate_tokens_made_total{access="standard"}`: 0,
		`aclgate_account_calls_total{account="11"}`: 3, `aclgate_account_calls_total{account="111"}`: 1, `aclgate_account_calls_total{account="12"}`: -1,
		`aclgate_account_limit{account="11",bound="api_calls"}`: 600, `aclgate_account_limit{account="111",bound="api_calls"}`: 600,
		`aclgate_account_limit{account="11",bound="devices_count"}`: 5, `aclgate_account_used{account="11",bound="devices_count"}`: 0,
		`aclgate_account_blocked{account="111"}`: 0,
	})
	if status, text := c.asOperator("PUT", "/platform/subaccounts/111?fields=id", `{"limit_id":2}`); status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	if status, text := call(t, "key-of-a-standard-token", "GET", c.api+"/auth/info", ""); status != 429 {
		t.Errorf("beyond its calls: got %d %s", status, text)
	}
	wants(map[string]float64{
		`aclgate_accounts_blocked{by="limit"}`: 1, `aclgate_account_blocked{account="111"}`: 1, `aclgate_account_blocked{account="11"}`: 0,
		`aclgate_account_limit{account="111",bound="api_calls"}`: 0,
	})
}
