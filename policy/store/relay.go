package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of what is on its way between a database and who reads its rows.
const (
	relayRows    = 256
	relayBatches = 3
	maxSilence   = 10 * time.Second // between two rows
)

// rowBatch is some rows and their documents.
type rowBatch struct {
	rows []Row
	docs []byte
}

func (b *rowBatch) add(row Row) {
	if row.Doc != nil {
		at := len(b.docs)
		b.docs = append(b.docs, row.Doc...) // rows before stay in the slice that they are in
		row.Doc = b.docs[at:len(b.docs):len(b.docs)]
	}
	b.rows = append(b.rows, row)
}

// relayed calls read with every row that all yields, in their order, but in a goroutine of its own:
// what a database takes to hand a million rows out and what it takes to read them passes at once. It
// returns when the last row was read. A row is valid during the call.
func relayed(all func(yield func(Row) error) error, read func(Row)) error {
	full, empty := make(chan *rowBatch, relayBatches), make(chan *rowBatch, relayBatches)
	for range relayBatches - 1 {
		empty <- &rowBatch{}
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for b := range full {
			for _, row := range b.rows {
				read(row)
			}
			b.rows, b.docs = b.rows[:0], b.docs[:0]
			empty <- b
		}
	})
	b := &rowBatch{}
	err := all(func(row Row) error {
		if b.add(row); len(b.rows) == relayRows {
			full <- b
			b = <-empty
		}
		return nil
	})
	full <- b
	close(full)
	reading.Wait()
	return err
}

// errSilent says that a reading of everything got nowhere.
var errSilent = errors.New("the database stopped answering in the middle")

// listening returns a context that ends when nothing was heard for maxSilence.
func listening(parent context.Context) (ctx context.Context, heard, end func()) {
	ctx, cancel := context.WithCancelCause(parent)
	timer, n := time.AfterFunc(maxSilence, func() { cancel(errSilent) }), 0
	return ctx, func() {
		if n++; n%1024 == 1 { // a million rows need no million of timers
			timer.Reset(maxSilence)
		}
	}, func() { timer.Stop(); cancel(nil) }
}
