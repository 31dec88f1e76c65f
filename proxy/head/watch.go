package head

import (
	"sync/atomic"
	"time"
)

// phase is what one direction of a connection waits for.
type phase uint64

const (
	phaseFresh   phase = iota // the first byte of a new connection
	phaseIdle                 // the first byte of the next request
	phaseHead                 // the rest of a head
	phaseBody                 // more of a body
	phaseServing              // nothing: the request is being handled
	phaseQuiet                // nothing: no write is under way
	phaseWriting              // the client to take what is written
	phaseBits    = 3
)

// reaped is the word of a wait that the reaper has ended; it is final. No word of an owner has this value: no phase is that.
const reaped = 1<<phaseBits - 1

// watch is one direction of a connection as the reaper watches it: a word that changes whenever the wait begins or ends. The
// owner changes it without looking at a clock; the reaper measures how long it has seen the same word.
type watch struct {
	word atomic.Uint64
	own  uint64 // the owner's copy of what it stored last

	seen  uint64        // the reaper's: the word it saw last
	since time.Duration // and when it saw it first, since the start of the listener
}

// start sets the first phase, before anyone else knows of w.
func (w *watch) start(p phase) {
	w.own = uint64(p)
	w.word.Store(w.own)
	w.seen = reaped
}

// enter begins another phase. It returns false if the reaper has ended the present one, which then stays the owner's.
func (w *watch) enter(p phase) bool {
	next := (w.own>>phaseBits+1)<<phaseBits | uint64(p)
	if !w.word.CompareAndSwap(w.own, next) {
		return false
	}
	w.own = next
	return true
}

// is reports whether the owner's phase is p.
func (w *watch) is(p phase) bool { return phase(w.own&(1<<phaseBits-1)) == p }

// expired reports whether the reaper has ended the owner's phase p.
func (w *watch) expired(p phase) bool { return w.is(p) && w.word.Load() == reaped }

// look returns the present phase and for how long the reaper has seen it; now is the time since the start of the listener.
// Only the reaper calls it. A wait that was ended has no phase worth a name: it comes as the phase after the last.
func (w *watch) look(now time.Duration) (phase, time.Duration) {
	if word := w.word.Load(); word != w.seen {
		w.seen, w.since = word, now
	}
	return phase(w.seen & (1<<phaseBits - 1)), now - w.since
}

// reap ends the wait that look saw. It returns false if the owner was faster.
func (w *watch) reap() bool { return w.word.CompareAndSwap(w.seen, reaped) }
