package proxy

import (
	"sync"
	"sync/atomic"
	"time"
)

// changing has clients ask while what they reach is opened and ends again, round after round.
type changing struct {
	rounds  int
	request func(n int) string    // the n-th one, each another
	reached func(got answer) bool // whether an answer shows what was opened
	opens   func()
	ends    func(round int)
}

// run returns by round how many answers showed what had ended, of requests that began after the end
// and were answered before the next opening; and how many others showed what was opened. Before the
// first round it may be open.
func (c *changing) run(w *wired) (leaks map[int64]int64, served int64) {
	leaks = map[int64]int64{}
	var mu sync.Mutex      // of leaks and served
	var state atomic.Int64 // even: nothing is reached, and was not since that number was written
	state.Store(1)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				before := state.Load()
				if !c.reached(w.raw(c.request(1 + i + 4*n))) {
					continue
				}
				ended := before%2 == 0 && state.Load() == before
				mu.Lock()
				if ended {
					leaks[before/2-1]++
				} else {
					served++
				}
				mu.Unlock()
			}
		})
	}
	for round := range c.rounds {
		state.Store(int64(2*round + 1))
		c.opens()
		time.Sleep(2 * time.Millisecond)
		c.ends(round)
		state.Store(int64(2*round + 2))
		time.Sleep(2 * time.Millisecond)
	}
	close(stop)
	running.Wait()
	return leaks, served
}
