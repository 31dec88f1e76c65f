package explain_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/explain"
)

// A question arrives as it was asked.
func TestQuestion(t *testing.T) {
	q := explain.Question{Token: policy.Digest{1, 2, 3}, Ask: explain.Ask{Method: "PUT", Target: "/gw/devices/7?cid=11", File: "policy.yaml"}}
	q.Ask.AskedCID, q.Ask.At, q.Ask.Source, q.Ask.Origin = 11, 1777000000, netip.MustParseAddr("192.0.2.7"), []byte("https://a.example")
	q.Ask.Body = []policy.Keys{{ID: 7, CID: 12}}
	text, err := json.Marshal(&q)
	if err != nil {
		t.Fatal(err)
	}
	var got explain.Question
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, q) {
		t.Errorf("got %+v %v, want %+v", got, err, q)
	}
	q.Action, q.User, q.Session, q.Token = explain.ActionDeliver, 5, 1<<52, policy.Digest{}
	text, _ = json.Marshal(&q)
	got = explain.Question{}
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, q) || strings.Contains(string(text), "sha256") {
		t.Errorf("of a user: got %+v %v from %s, want %+v", got, err, text, q)
	}
	q.User, q.Session, q.Bearer = 0, 0, "eyJ.a.b"
	text, _ = json.Marshal(&q)
	got = explain.Question{}
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, q) || strings.Contains(string(text), "sha256") {
		t.Errorf("of a token from elsewhere: got %+v %v, want %+v", got, err, q)
	}
	for _, text := range []string{`{"method":"GET"}`, `{"token_sha256":"01"}`, `{"token_sha256":"xy"}`, `[]`} {
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is taken for a question", text)
		}
	}
}

// What the gateway refuses at a moment is the outcome, whatever the policy permits; but a token that is
// not valid is a 401 first, and of the state of a caller nothing more is asked.
func TestStateRefuses(t *testing.T) {
	caller := func(*policy.Token) (policy.Reason, string) { return policy.AccountBlocked, "account 11 is not enabled" }
	request := func(in *policy.Input, d *policy.Decision) (policy.Reason, string) {
		if d.Verdict == policy.Deny || in.Scope == 0 {
			return policy.NotJudged, ""
		}
		return policy.ScopeIgnored, "the scope is ignored"
	}
	for _, row := range []struct {
		token, target string
		state         explain.State
		reason        policy.Reason
		detail        string
	}{
		{"viewer", "/gw/devices/7", explain.State{Caller: caller, Request: request}, policy.AccountBlocked, "account 11 is not enabled"},
		{"viewer", "/gw/devices/7", explain.State{Request: request}, policy.ScopeIgnored, "the scope is ignored"},
		{"viewer", "/gw/devices/8", explain.State{Request: request}, policy.DeniedItems, ""},
		{"old", "/gw/devices/7", explain.State{Caller: caller, Request: request}, policy.TokenExpired, ""},
		{"viewer", "/gw/devices/0", explain.State{Caller: caller}, policy.BadSelector, "an id list is digits without leading zero, up to 2^63-1, with single commas: '0'"},
	} {
		r := newWorld(t).ask(row.token, explain.Ask{Method: "GET", Target: row.target, State: row.state})
		if r.Verdict != "deny" || r.Reason != row.reason.String() || r.Backend != nil || r.Detail != row.detail {
			t.Errorf("%s %s: got %s %s %q, want %s %q", row.token, row.target, r.Verdict, r.Reason, r.Detail, row.reason, row.detail)
		}
	}
}
