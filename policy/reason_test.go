package policy_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"aclgate/policy"
)

var update = flag.Bool("update", false, "write docs/reasons.md anew")

func TestReasonsAreComplete(t *testing.T) {
	words := map[string]bool{}
	for _, r := range policy.Reasons() {
		if r.String() == "" || words[r.String()] {
			t.Errorf("reason %d: got word %q, want one of its own", r, r)
		}
		words[r.String()] = true
		if m := r.Meaning(); m == "" || strings.HasSuffix(m, ".") || strings.Contains(m, "\n") {
			t.Errorf("%s: got meaning %q, want a clause without full stop", r, m)
		}
		if h := r.Hint(); !strings.HasSuffix(h, ".") || strings.Contains(h, "\n") {
			t.Errorf("%s: got hint %q, want one sentence", r, h)
		}
	}
	if got := policy.Reason(200).String(); got != "not-judged" {
		t.Errorf("got %s for what is no reason, want not-judged", got)
	}
}

// What is refused has a status; what is no policy has it as its code, and the codes of policy come
// with 403 (SPEC 5).
func TestReasonsHaveTheStatusOfSpec5(t *testing.T) {
	passes := map[policy.Reason]bool{
		policy.Permitted: true, policy.Narrowed: true, policy.OpenRoute: true, policy.Unenforced: true,
		policy.MasterRoute: true, policy.PublicRoute: true, policy.BackendRefused: true,
	}
	for _, r := range policy.Reasons() {
		a := r.Answer()
		switch {
		case passes[r]:
			if a.Status != 0 || a.Code != 0 {
				t.Errorf("%s: got status %d code %d, want those of the backend", r, a.Status, a.Code)
			}
		case a.Status == 0:
			t.Errorf("%s: has no status", r)
		case a.Status == 403 && a.Code == 403 && (r == policy.AccountBlocked || r == policy.CountLimit): // no right, but a limit
		case a.Status == 403 && a.Code != 6 && a.Code != 8:
			t.Errorf("%s: got code %d beside 403, want 6 or 8", r, a.Code)
		case r == policy.BadField && a.Code == 2: // the vendor's
		case a.Status != 403 && a.Code != 0 && a.Code != a.Status:
			t.Errorf("%s: got code %d, want the status %d", r, a.Code, a.Status)
		case a.Class == policy.ClassFault && a.Text == "" && r != policy.ListTooLong: // which counts ids
			t.Errorf("%s: has no text for the client", r)
		}
	}
}

// A token with an ACL does not learn which paths exist.
func TestAnswerTo(t *testing.T) {
	acl, master := &policy.Token{Access: policy.ACLAccess}, &policy.Token{Access: policy.Master}
	for _, row := range []struct {
		reason policy.Reason
		token  *policy.Token
		status int
	}{
		{policy.UnknownRoute, acl, 403}, {policy.UnknownMethod, acl, 403}, {policy.UnknownRoute, master, 404},
		{policy.UnknownMethod, nil, 405}, {policy.BadQuery, acl, 400},
	} {
		if got := row.reason.AnswerTo(row.token).Status; got != row.status {
			t.Errorf("%s: got %d, want %d", row.reason, got, row.status)
		}
	}
}

// The page of the documentation is made from the table: -update writes it.
func TestPageOfReasons(t *testing.T) {
	const file = "../docs/reasons.md"
	var b strings.Builder
	b.WriteString("# Reasons\n\nThe same word is metric label, audit field and explain output. Without a status, the answer is the backend's own.\n" +
		"Made by `go test ./policy -update` from the table in `policy/reasontable.go`.\n\n" +
		"| reason | status | code | because | what to do |\n|---|---|---|---|---|\n")
	number := func(n int) string {
		if n == 0 {
			return "–"
		}
		return fmt.Sprint(n)
	}
	for _, r := range policy.Reasons() {
		a := r.Answer()
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r, number(a.Status), number(a.Code), r.Meaning(), r.Hint())
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != b.String() {
		t.Errorf("%s is not what the table says: run go test ./policy -update", file)
	}
}
