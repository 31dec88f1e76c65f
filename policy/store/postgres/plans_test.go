package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/postgres/pgtest"
)

// A database of version 2 gets the indexes of version 3 for the rows that it has, and who bears a limit and how
// many tokens count can be read from them.
func TestPlansOfVersion3(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e, database := fresh(t, s)
	if _, err := e.Write(t.Context(), "operator", enginetest.PutCounted); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), s.URL(database, "t_owner"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, by := range []string{`SET ROLE aclgate_owner`, `DROP INDEX aclgate.accounts_limit`, `DROP INDEX aclgate.tokens_counted`, `UPDATE aclgate.head SET version = 2`} {
		if _, err := c.Exec(t.Context(), by); err != nil {
			t.Fatalf("%s: %v", by, err)
		}
	}
	counted := func() {
		if err := e.View(t.Context(), func(r store.Reader) error { enginetest.WantCounted(t, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	counted() // of the schema before, which this program knows
	if m, err := Migrate(t.Context(), file(t, s.URL(database, "t_owner"))); err != nil || m.From != 2 || m.To != len(steps) {
		t.Fatalf("got %+v, %v", m, err)
	}
	counted()
	if _, err := c.Exec(t.Context(), `SET enable_seqscan = off`); err != nil { // all is on one page, which is read at once
		t.Fatal(err)
	}
	for index, query := range map[string]string{"accounts_limit": selectBearer, "tokens_counted": countTokens} {
		arg := any(int64(7))
		if query == countTokens {
			arg = []int64{1, 2}
		}
		rows, err := c.Query(t.Context(), "EXPLAIN "+query, arg)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || !strings.Contains(strings.Join(plan, " "), index) {
			t.Errorf("%s: got the plan %q, %v, want one with %s", query, plan, err, index)
		}
	}
}
