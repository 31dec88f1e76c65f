package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// kept are statements that outlast a transaction: to prepare them anew was a fifth of a change.
type kept struct {
	db *sql.DB

	mu         sync.Mutex
	statements map[string]*sql.Stmt // nil: to be prepared between two transactions
}

func keep(db *sql.DB) *kept { return &kept{db: db, statements: map[string]*sql.Stmt{}} }

// in returns a statement for a transaction. What is asked for the first time is kept from the next one on.
func (k *kept) in(ctx context.Context, tx *sql.Tx, query string) (*sql.Stmt, error) {
	k.mu.Lock()
	s := k.statements[query]
	k.statements[query] = s
	k.mu.Unlock()
	if s == nil {
		return tx.PrepareContext(ctx, query)
	}
	return tx.StmtContext(ctx, s), nil
}

// prepare prepares what transactions have asked for. It takes a connection, which the caller must not hold.
func (k *kept) prepare(ctx context.Context) {
	k.mu.Lock()
	var asked []string
	for query, s := range k.statements {
		if s == nil {
			asked = append(asked, query)
		}
	}
	k.mu.Unlock()
	for _, query := range asked {
		s, err := k.db.PrepareContext(ctx, query)
		if err != nil {
			return // the transaction says so, and the next one tries again
		}
		k.mu.Lock()
		if k.statements[query] == nil {
			k.statements[query], s = s, nil
		}
		k.mu.Unlock()
		if s != nil { // somebody else was faster
			_ = s.Close()
		}
	}
}
