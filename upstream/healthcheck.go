package upstream

import (
	"context"
	"io"
	"time"
)

const (
	probeEvery = 3 * time.Second
	probeFor   = 5 * time.Second // for the whole of one probe
)

// probe asks the url again and again until the transport is closed. A failed probe
// counts as a failed exchange, so a url that is down is out before a request finds it so.
func (t *Transport) probe(b *backend, target string) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		t.probeOnce(b, target)
		select {
		case <-t.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (t *Transport) probeOnce(b *backend, target string) {
	var a Answer
	ctx, cancel := context.WithTimeout(t.ctx, probeFor)
	defer cancel()
	defer context.AfterFunc(ctx, a.Cancel)()
	defer a.Close()
	err := b.attempt(&Request{Method: "GET", Target: []byte(target), Repeatable: true}, &a)
	switch {
	case err == nil && a.Status >= 500:
		err = ErrBroken
	case err != nil && ctx.Err() == context.DeadlineExceeded:
		err = ErrTimeout
	case err == nil:
		// A short answer is read so that its connection can be kept; of a long one enough is known.
		io.CopyN(io.Discard, &a, smallBuffer)
	}
	b.judge(err)
}
