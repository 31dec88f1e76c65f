package postgres

import (
	"sync"
	"testing"
	"time"

	"aclgate/policy/store/postgres/pgtest"
)

// Several gateways add up debts and sums, in whatever order each names them; debts pass with time, sums
// do not; what says nothing any more is forgotten.
func TestExchangeOfRates(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e, database := fresh(t, s)
	hour := time.Hour.Microseconds()
	var gateways sync.WaitGroup
	for i := range 4 {
		gateways.Go(func() {
			for range 25 {
				r := Rates{Names: []string{"a", "b", "sum"}, Drains: []bool{true, true, false}, Amounts: []int64{hour, 2 * hour, 5}}
				if i%2 == 1 {
					r.Names[0], r.Names[1] = r.Names[1], r.Names[0]
					r.Amounts[0], r.Amounts[1] = r.Amounts[1], r.Amounts[0]
				}
				if got, err := e.Exchange(t.Context(), &r); err != nil || len(got) != 3 {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	gateways.Wait()
	r := Rates{Names: []string{"sum", "b", "a", "new"}, Drains: []bool{false, true, true, true}, Amounts: []int64{1, 0, 0, 1}, Since: time.Second}
	got, err := e.Exchange(t.Context(), &r)
	if err != nil || got[0] != 501 || got[1] > 200*hour || got[1] < 199*hour || got[2] > 100*hour || got[2] < 99*hour || got[3] != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	owed := map[string]int64{}
	debts := func(most int) {
		t.Helper()
		clear(owed)
		if err := e.Debts(t.Context(), most, func(name string, amount int64) { owed[name] = amount }); err != nil {
			t.Fatal(err)
		}
	}
	if debts(9); len(owed) != 2 || owed["b"] > 200*hour || owed["b"] < 199*hour || owed["a"] > 100*hour || owed["a"] < 99*hour {
		t.Errorf("got %v owed", owed)
	}
	if debts(1); len(owed) != 1 || owed["b"] == 0 {
		t.Errorf("got %v owed, want the most", owed)
	}
	s.SQL(database, "UPDATE aclgate.rates SET at = at - 99 * 3600000000 WHERE name IN ('a', 'b', 'sum')")
	if got, err = e.Exchange(t.Context(), &r); err != nil || got[0] != 502 || got[1] > 101*hour || got[2] > hour {
		t.Errorf("99 hours later: got %v, %v", got, err)
	}
	s.SQL(database, "UPDATE aclgate.rates SET at = at + 3600000000") // the clock was set back by an hour
	if got, err = e.Exchange(t.Context(), &r); err != nil || got[1] > 101*hour || got[1] < 99*hour {
		t.Errorf("after a clock that was set back: got %v, %v", got, err)
	}
	s.SQL(database, "UPDATE aclgate.rates SET at = at - 50 * 3600000000")
	if err := e.PruneRates(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := s.SQL(database, "SELECT string_agg(name, ',') FROM aclgate.rates"); got != "b" {
		t.Errorf("kept: %s, want b", got)
	}
}
