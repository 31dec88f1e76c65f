package upstream

import (
	"context"
	"io"
	"time"

	"aclgate/upstream/wake"
)

const (
	checkEvery = 3 * time.Second
	checkFor   = 5 * time.Second // for the whole of one check
)

// checkHealth asks the url again and again until the transport is closed. A failed check counts as
// a failed exchange, so a url that is down is out before a request finds it so.
func (e *endpoint) checkHealth(target string) {
	for e.ctx.Err() == nil {
		began := time.Now()
		e.checkOnce(target)
		wake.Signal(nil).Sleep(e.ctx, checkEvery-time.Since(began))
	}
}

func (e *endpoint) checkOnce(target string) {
	var a Answer
	ctx, cancel := context.WithTimeout(e.ctx, checkFor)
	defer cancel()
	defer context.AfterFunc(ctx, a.Cancel)()
	defer a.Close()
	err := e.do(&Request{Method: "GET", Target: []byte(target), Repeatable: true}, &a)
	switch {
	case err == nil && a.Status >= 500:
		err = ErrBroken
	case err != nil && ctx.Err() == context.DeadlineExceeded:
		err = ErrTimeout
	case err == nil:
		// A short answer is read so that its connection can be kept; of a long one enough is known.
		io.CopyN(io.Discard, &a, smallBuffer)
	}
	e.observe(err)
}
