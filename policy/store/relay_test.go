package store

import (
	"errors"
	"fmt"
	"testing"
)

// Every row is read once, in its order and with its own document, up to where the database fails.
func TestRelayed(t *testing.T) {
	fault := errors.New("gone")
	for _, n := range []int{0, 1, relayRows - 1, relayRows, 5*relayRows + 7} {
		var room []byte // of a database that uses it again
		want, got := 0, 0
		err := relayed(func(yield func(Row) error) error {
			for i := range n {
				room = fmt.Appendf(room[:0], "%d", i*i)
				row := Row{Table: Tokens, ID: int64(i), Doc: room}
				if i%3 == 0 {
					row.Doc = nil
				}
				if err := yield(row); err != nil {
					return err
				}
				want++
			}
			return fault
		}, func(row Row) {
			doc := ""
			if got%3 != 0 {
				doc = fmt.Sprint(got * got)
			}
			if row.ID != int64(got) || string(row.Doc) != doc || (row.Doc == nil) != (got%3 == 0) {
				t.Errorf("row %d of %d: got %d %q", got, n, row.ID, row.Doc)
			}
			got++
		})
		if !errors.Is(err, fault) || got != want || got != n {
			t.Errorf("got %d rows of %d and %v", got, n, err)
		}
	}
}
