package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate is a writer that stands still until it is opened, and then writes or fails.
type gate struct {
	open chan struct{}
	err  error
	mu   sync.Mutex
	got  bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return g.got.Write(p)
}

// A log that stands still takes what there is room for, in order; the rest is counted, and nobody
// waits, not even the end.
func TestLogWriterStalled(t *testing.T) {
	to := &gate{open: make(chan struct{})}
	w := NewLogWriter(to)
	line := bytes.Repeat([]byte("x"), 1023)
	const lines = 2 * maxLogHeld / 1024
	for i := range lines {
		if n, err := fmt.Fprintf(w, "%06d%s\n", i, line[6:]); n != 1024 || err != nil {
			t.Fatalf("got %d %v, want success", n, err)
		}
	}
	if got := w.Lost(); got != lines/2 {
		t.Errorf("got %d lost, want %d", got, lines/2)
	}
	w.Close()
	fmt.Fprintln(w, "after the end")
	if got := w.Lost(); got != lines/2+1 {
		t.Errorf("got %d lost, want one more", got)
	}
	close(to.open)
	<-w.ended
	got := strings.Split(strings.TrimSuffix(to.got.String(), "\n"), "\n")
	if len(got) != lines/2 {
		t.Fatalf("got %d lines, want %d", len(got), lines/2)
	}
	for i, text := range got {
		if !strings.HasPrefix(text, fmt.Sprintf("%06d", i)) {
			t.Fatalf("line %d is %.10q", i, text)
		}
	}
}

// What the writer refuses is counted, and what comes later is tried all the same.
func TestLogWriterBroken(t *testing.T) {
	to := &gate{open: make(chan struct{}), err: errors.New("no space")}
	w := NewLogWriter(to)
	for range 3 {
		fmt.Fprintln(w, "lost")
	}
	close(to.open)
	for range 5000 {
		if w.Lost() == 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	to.mu.Lock()
	to.err = nil
	to.mu.Unlock()
	fmt.Fprintln(w, "kept")
	w.Close()
	if got := to.got.String(); w.Lost() != 3 || got != "kept\n" {
		t.Errorf("got %d lost and %q, want 3 and the last line", w.Lost(), got)
	}
}

// Full disks and readers that are gone, as the system reports them.
func TestLogWriterSystem(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	all := []*os.File{write}
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		defer full.Close()
		all = append(all, full)
	}
	for _, f := range all {
		w := NewLogWriter(f)
		fmt.Fprintln(w, "a line")
		w.Close()
		if w.Lost() != 1 {
			t.Errorf("%s: got %d lost, want 1", f.Name(), w.Lost())
		}
	}
}
