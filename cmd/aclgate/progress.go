package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// firstProgress is how long a command may be silent. After that the pauses double, so that an hour
// takes a dozen lines.
const firstProgress = time.Second

// progress says on the standard error that a command is at work, and how far it is.
type progress struct {
	count atomic.Int64 // of what is counted; 0: nothing is
	stop  chan struct{}
	done  sync.WaitGroup
}

// during says from the first second on what a command is at, in lines, if a person reads them. The
// caller ends it.
func (e *env) during(what string) *progress {
	p := &progress{stop: make(chan struct{})}
	first := e.patience
	if first == 0 && terminal(e.stderr) {
		first = firstProgress
	}
	if first > 0 {
		p.done.Go(func() { p.say(e.stderr, what, first) })
	}
	return p
}

func (p *progress) say(w io.Writer, what string, pause time.Duration) {
	began := time.Now()
	for timer := time.NewTimer(pause); ; pause *= 2 {
		select {
		case <-p.stop:
			timer.Stop()
			return
		case <-timer.C:
			line := fmt.Sprintf("%s: %s so far", what, time.Since(began).Round(time.Second))
			if n := p.count.Load(); n > 0 {
				line += ", " + grouped(n)
			}
			fmt.Fprintln(w, line)
			timer.Reset(pause)
		}
	}
}

// add counts something that is done.
func (p *progress) add() { p.count.Add(1) }

// end ends the lines.
func (p *progress) end() {
	close(p.stop)
	p.done.Wait()
}

// grouped prints a number with its thousands apart.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
