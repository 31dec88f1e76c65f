package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Rates is what a gateway has used of rates since the round before: the same number of names and
// amounts.
type Rates struct {
	Since   time.Duration // since the round before
	Names   []string      // no two are the same
	Drains  []bool        // it is a debt, which passes with time; else a sum
	Amounts []int64       // to be added: microseconds of debt, or in the unit of the sum; never negative
}

// Exchange adds amounts to those of all gateways, and returns what these are then, in the same order
// (SPEC 15.7). A debt decreases by the clock of the server, which takes nothing away when it is set
// back; what is added counts from Since ago on.
func (e *Engine) Exchange(ctx context.Context, r *Rates) ([]int64, error) {
	totals := make([]int64, len(r.Names))
	at := make(map[string]int, len(r.Names))
	for i, name := range r.Names {
		at[name] = i
	}
	err := e.on(ctx, e.read, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, addRates, r.Names, r.Drains, r.Amounts, r.Since.Microseconds())
		if err != nil {
			return err
		}
		defer rows.Close()
		found := 0
		for rows.Next() {
			var name string
			var total int64
			if err := rows.Scan(&name, &total); err != nil {
				return err
			}
			totals[at[name]] = total
			found++
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if found != len(totals) {
			return fmt.Errorf("%d of %d rates were answered", found, len(totals))
		}
		return nil
	})
	return totals, err
}

// Debts yields the debts of all gateways that are not paid off, in microseconds, most at most.
func (e *Engine) Debts(ctx context.Context, most int, yield func(name string, amount int64)) error {
	return e.on(ctx, e.read, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, selectDebts, most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var amount int64
			if err := rows.Scan(&name, &amount); err != nil {
				return err
			}
			yield(name, amount)
		}
		return rows.Err()
	})
}

// PruneRates forgets rates that say nothing any more: debts that were paid off, and sums that were not
// told for so long.
func (e *Engine) PruneRates(ctx context.Context, keep time.Duration) error {
	return e.exec(ctx, e.read, pruneRates, keep.Microseconds())
}
