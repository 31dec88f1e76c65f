package sqlite

import (
	"fmt"
	"strings"
	"testing"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

// A database of version 2 gets the indexes of version 3 for the rows that it has. Who bears a limit, and how
// many tokens count, is then read from them alone, without a document.
func TestPlansOfVersion3(t *testing.T) {
	e, path := fresh(t)
	if _, err := e.Write(t.Context(), "operator", enginetest.PutCounted); err != nil {
		t.Fatal(err)
	}
	byHand(t, path, `DROP INDEX accounts_limit; DROP INDEX tokens_counted; UPDATE head SET version = 2`)
	for _, query := range []string{selectBearer, countTokens} {
		if plan := planOf(t, e, query); strings.Contains(plan, "accounts_limit") || strings.Contains(plan, "tokens_counted") {
			t.Errorf("version 2: %s", plan)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err := upgrade(path); err != nil || m.From != 2 || m.To != len(steps) || m.Backup == "" {
		t.Fatalf("got %+v, %v", m, err)
	}
	e = reopen(t, path)
	if err := e.View(t.Context(), func(r store.Reader) error { enginetest.WantCounted(t, r); return nil }); err != nil {
		t.Fatal(err)
	}
	for query, index := range map[string]string{selectBearer: "COVERING INDEX accounts_limit", countTokens: "COVERING INDEX tokens_counted"} {
		if plan := planOf(t, e, query); !strings.Contains(plan, index) {
			t.Errorf("%s: got the plan %s, want one with %s", query, plan, index)
		}
	}
}

func planOf(t *testing.T, e *Engine, query string) (plan string) {
	t.Helper()
	rows, err := e.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, "[1]")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int64
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan += fmt.Sprint(step, "; ")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}
