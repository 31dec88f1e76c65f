package app

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxLogHeld is how many bytes of the log may wait to be written.
	maxLogHeld = 1 << 20
	// logEnd is how long the end waits for what is still to be written.
	logEnd = time.Second
)

// LogWriter hands a log on to a writer that may stand still or break: a pipe that nobody reads, a
// terminal that was stopped, a full disk (SPEC 6). Write never waits and never fails. One goroutine
// does the writing; what finds too much waiting, and what could not be written, is lost and counted.
type LogWriter struct {
	to    io.Writer
	work  chan struct{} // something waits; closed at the end
	ended chan struct{}

	mu      sync.Mutex
	waiting [][]byte
	held    int // bytes of waiting, and of what is being written
	closed  bool

	lost atomic.Uint64
}

// NewLogWriter returns a LogWriter. The caller closes it.
func NewLogWriter(to io.Writer) *LogWriter {
	w := &LogWriter{to: to, work: make(chan struct{}, 1), ended: make(chan struct{})}
	go w.run()
	return w
}

// Write takes p, which is one line or a few, and reports success whatever becomes of it.
func (w *LogWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.held+len(p) > maxLogHeld {
		w.lost.Add(1)
		return len(p), nil
	}
	w.held += len(p)
	w.waiting = append(w.waiting, bytes.Clone(p))
	select {
	case w.work <- struct{}{}:
	default: // the writing goroutine was called already
	}
	return len(p), nil
}

// Lost returns how many calls of Write came to nothing.
func (w *LogWriter) Lost() uint64 { return w.lost.Load() }

// Close writes what waits and ends. It waits a second for that, and then gives up: what stands in a
// write to something that does not move cannot be called back.
func (w *LogWriter) Close() {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.closed = true
	close(w.work)
	w.mu.Unlock()
	timer := time.NewTimer(logEnd)
	defer timer.Stop()
	select {
	case <-w.ended:
	case <-timer.C:
	}
}

func (w *LogWriter) run() {
	defer close(w.ended)
	for range w.work {
		w.writeWaiting()
	}
	w.writeWaiting()
}

func (w *LogWriter) writeWaiting() {
	w.mu.Lock()
	lines := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	for _, line := range lines {
		if _, err := w.to.Write(line); err != nil {
			w.lost.Add(1)
		}
		w.mu.Lock()
		w.held -= len(line)
		w.mu.Unlock()
	}
}
