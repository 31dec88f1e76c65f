package store

import (
	"context"
	"errors"
	"os"
	"time"
)

// Times of watching the file (SPEC 6).
const (
	pollEvery = 250 * time.Millisecond
	standing  = time.Second // a file that is written in place has to stand still so long
	saveEvery = time.Minute
)

// Run watches the file and keeps the last uses, until ctx ends; it then writes
// them a last time and returns.
func (f *File) Run(ctx context.Context) {
	poll, save := time.NewTicker(pollEvery), time.NewTicker(saveEvery)
	defer poll.Stop()
	defer save.Stop()
	var w watch
	for {
		select {
		case <-ctx.Done():
			f.saveUses()
			return
		case <-save.C:
			f.saveUses()
		case now := <-poll.C:
			info, err := os.Stat(f.opts.Path)
			if err != nil {
				info = nil
			}
			if w.due(info, now) {
				f.Reload() // its faults are in the log and in State
			}
		}
	}
}

func (f *File) saveUses() {
	if err := f.uses.save(); err != nil {
		f.opts.Logger.Error("last uses of tokens", "err", err)
	}
}

// watch decides when to read a file again. It looks at its outside only; that
// a text was read before is noticed by whoever reads it.
type watch struct {
	last    os.FileInfo // nil: the file was not there
	since   time.Time   // the outside has not changed since
	pending bool        // something changed, and was not read since it stood still
	seen    bool        // last says what was seen
}

// due reports whether the file is to be read now, of which info is the outside.
//
// A file that took the place of another one is read at once, because who writes
// so writes it first. It is read a second time when it has stood still, like
// one that was there at the start or was written in place: it may have been
// created under its name and be growing, or have changed twice within one tick
// of the clock of the file system.
func (w *watch) due(info os.FileInfo, now time.Time) bool {
	switch {
	case !w.seen:
	case info == nil || w.last == nil:
		if info == w.last {
			return w.stood(now)
		}
		replaced := info != nil
		w.change(info, now)
		return replaced
	case !os.SameFile(info, w.last):
		w.change(info, now)
		return true
	case info.Size() == w.last.Size() && info.ModTime().Equal(w.last.ModTime()):
		return w.stood(now)
	}
	w.change(info, now)
	return false
}

func (w *watch) change(info os.FileInfo, now time.Time) {
	w.last, w.since, w.pending, w.seen = info, now, true, true
}

// stood reports, once, that a change has stood still.
func (w *watch) stood(now time.Time) bool {
	if !w.pending || now.Sub(w.since) < standing {
		return false
	}
	w.pending = false
	return true
}

// Times of waiting for a file that is being written while it is read.
const (
	stillTries = 20
	stillPause = 50 * time.Millisecond
)

// errWriting is the fault of a file that never stood still.
var errWriting = errors.New("the file is being written")

// readStill reads a file that does not change while it is read.
func readStill(path string) ([]byte, error) {
	for range stillTries {
		text, still, err := readOnce(path)
		if err != nil {
			return nil, err
		}
		if still {
			return text, nil
		}
		time.Sleep(stillPause)
	}
	return nil, errWriting
}

// readOnce reads a file and reports whether it looked the same after as before.
func readOnce(path string) (text []byte, still bool, err error) {
	before, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	if !before.Mode().IsRegular() { // a pipe would be waited for
		return nil, false, errors.New("this is no regular file")
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, false, err
	}
	after, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	still = os.SameFile(before, after) && before.Size() == int64(len(text)) &&
		after.Size() == before.Size() && after.ModTime().Equal(before.ModTime())
	return text, still, nil
}
