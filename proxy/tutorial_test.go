package proxy

import (
	"crypto/sha256"
	"strconv"
	"testing"

	"aclgate/bench/backend"
	"aclgate/policy"
)

func itoa(n int) string { return strconv.Itoa(n) }

func digestOf(key string) policy.Digest { return sha256.Sum256([]byte(key)) }

// startBackend starts the fake API with a world, as the gateway's backend.
func startBackend(t *testing.T, w *backend.World, o backend.Options) (*backend.Server, string) {
	t.Helper()
	o.Key = upstreamKey
	s := backend.New(w, o)
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, url
}

// demoTokens are the tokens of the vendor's published tutorial.
func demoTokens(f *fixture) {
	f.accounts([2]int64{1, 0}, [2]int64{11, 1}, [2]int64{12, 1})
	f.token("demo-master", "master", 1, "")
	f.token("demo-channels", "acl", 1, `[{"uri":"gw/channels","methods":["GET","PUT"],"ids":[2025,2026]}]`)
	f.token("demo-storage", "acl", 1, `[{"uri":"storage","methods":["GET"]}]`)
	f.token("demo-containers", "acl", 1, `[{"uri":"storage/containers","methods":["GET","POST","PUT","DELETE"]}]`)
}

// The vendor's published tutorial, in order: each request gets exactly the published bytes (SPEC
// 8).
func TestTutorial(t *testing.T) {
	_, url := startBackend(t, backend.DemoWorld(), backend.Options{})
	f := newFixture(t, url)
	demoTokens(f)
	type line struct {
		ID, Token, Method, URL, Answer string
		Body                           *string
	}
	for _, row := range readLines[line](t, "testdata/tutorial.jsonl") {
		body := ""
		if row.Body != nil {
			body = *row.Body
		}
		if got := f.call(row.Token, row.Method, row.URL, body); got.body != row.Answer {
			t.Errorf("%s: %s %s: got %s, want %s", row.ID, row.Method, row.URL, got.body, row.Answer)
		}
	}
}
