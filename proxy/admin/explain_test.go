package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/explain"
)

// A question is answered with the report of the gateway, behind the admin token, and what is no
// question is a 400.
func TestExplain(t *testing.T) {
	var asked *explain.Question
	var fault error
	s := New(Options{Key: adminKey, Explain: func(_ context.Context, q *explain.Question) (any, error) {
		asked = q
		return &explain.Report{Verdict: "deny", Reason: "limit-token"}, fault
	}})
	question, err := json.Marshal(&explain.Question{Token: policy.Digest{7}, Ask: explain.Ask{Method: "GET", Target: "/gw/devices/7"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		method, key, body string
		fault             error
		status            int
		want              string
	}{
		{"POST", adminKey, string(question), nil, 200, `"verdict":"deny","reason":"limit-token"`},
		{"POST", adminKey, string(question), errors.New("the backend is away"), 502, "the backend is away"},
		{"POST", adminKey, "{}", nil, 400, "of the same version"},
		{"POST", adminKey, strings.Repeat(" ", maxQuestion+1), nil, 413, "too long"},
		{"GET", adminKey, "", nil, 405, "not allowed"},
		{"POST", "another-key", string(question), nil, 401, "admin token"},
	} {
		asked, fault = nil, row.fault
		r := httptest.NewRequest(row.method, "/explain", strings.NewReader(row.body))
		r.Header.Set("Authorization", "Bearer "+row.key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		if w.Code != row.status || !strings.Contains(string(text), row.want) {
			t.Errorf("%s %.20q: got %d %s, want %d %q", row.method, row.body, w.Code, text, row.status, row.want)
		}
		if reached := asked != nil; reached != (row.status == http.StatusOK || row.status == http.StatusBadGateway) {
			t.Errorf("%s %.20q: the gateway was asked: %v", row.method, row.body, reached)
		}
	}
}
