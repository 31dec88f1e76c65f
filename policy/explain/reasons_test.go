package explain_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/explain"
)

func TestDocsAreComplete(t *testing.T) {
	docs := explain.Docs()
	if got, want := len(docs), len(policy.Reasons()); got != want {
		t.Fatalf("got %d reasons, want %d", got, want)
	}
	for i, d := range docs {
		if d.Reason != policy.Reasons()[i] {
			t.Errorf("%s: stands at the place of %s", d.Reason, policy.Reasons()[i])
		}
		if d.Meaning == "" || strings.HasSuffix(d.Meaning, ".") || strings.Contains(d.Meaning, "\n") {
			t.Errorf("%s: got meaning %q, want a clause without full stop", d.Reason, d.Meaning)
		}
		if !strings.HasSuffix(d.Hint, ".") || strings.Contains(d.Hint, "\n") {
			t.Errorf("%s: got hint %q, want one sentence", d.Reason, d.Hint)
		}
	}
}

// What is refused has a status; what is no policy has it as its code, and the
// codes of policy come with 403 (SPEC 5).
func TestDocsHaveTheStatusOfSpec5(t *testing.T) {
	passes := map[policy.Reason]bool{
		policy.Permitted: true, policy.Narrowed: true, policy.OpenRoute: true, policy.Unenforced: true,
		policy.MasterRoute: true, policy.BackendRefused: true,
	}
	for _, d := range explain.Docs() {
		switch {
		case passes[d.Reason]:
			if d.Status != 0 || d.Code != 0 {
				t.Errorf("%s: got status %d code %d, want those of the backend", d.Reason, d.Status, d.Code)
			}
		case d.Status == 0:
			t.Errorf("%s: has no status", d.Reason)
		case d.Status == 403 && d.Code != 6 && d.Code != 8:
			t.Errorf("%s: got code %d beside 403, want 6 or 8", d.Reason, d.Code)
		case d.Status != 403 && d.Code != 0 && d.Code != d.Status:
			t.Errorf("%s: got code %d, want the status %d", d.Reason, d.Code, d.Status)
		}
	}
}

// The page of the documentation is made from the table: -update writes it.
func TestPageOfReasons(t *testing.T) {
	const file = "../../docs/reasons.md"
	var b strings.Builder
	b.WriteString("# Reasons\n\nThe same word is metric label, audit field and explain output. Without a status, the answer is the backend's own.\n" +
		"Made by `go test ./policy/explain -update` from the table in `policy/explain/reasons.go`.\n\n" +
		"| reason | status | code | because | what to do |\n|---|---|---|---|---|\n")
	for _, d := range explain.Docs() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.Reason, number(d.Status), number(d.Code), d.Meaning, d.Hint)
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
		t.Errorf("%s is not what the table says: run go test ./policy/explain -update", file)
	}
}

func number(n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprint(n)
}
