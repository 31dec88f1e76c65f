package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"time"
)

// Times of watching the file (SPEC 6).
const (
	pollEvery = 250 * time.Millisecond
	standing  = time.Second // a file that is written in place has to stand still so long
	saveEvery = time.Minute
)

// Run watches the file and keeps the last uses, until ctx ends; it then writes them a last time and
// returns.
func (f *File) Run(ctx context.Context) {
	poll, save := time.NewTicker(pollEvery), time.NewTicker(saveEvery)
	defer poll.Stop()
	defer save.Stop()
	f.uses.begin()
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

func (f *File) saveUses() { f.uses.keep(time.Now().Unix()) }

// UsesFault returns why the last uses of tokens could not be written; nil while they can.
func (f *File) UsesFault() error { return f.uses.lastFault() }

// watch decides when to read a file again. It looks at its outside only; that a text was read
// before is noticed by whoever reads it.
type watch struct {
	last    os.FileInfo // nil: the file was not there
	since   time.Time   // the outside has not changed since
	pending bool        // something changed, and was not read since it stood still
	seen    bool        // last says what was seen
}

// due reports whether the file is to be read now, of which info is the outside.
//
// A file that took the place of another one is read at once, because who writes so writes it first.
// It is read a second time when it has stood still, like one that was there at the start or was
// written in place: it may have been created under its name and be growing, or have changed twice
// within one tick of the clock of the file system.
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

// readStill reads a file that does not change while it is read, and its digest. Of one with the
// digest known it returns no text: most readings find what they found before, and the text of a
// million tokens is larger than all the rest of the process.
func readStill(path string, known *[sha256.Size]byte, pace *pacer) (text []byte, sum [sha256.Size]byte, err error) {
	for range stillTries {
		text, sum, err = readOnce(path, known, pace)
		if err != errWriting {
			return text, sum, err
		}
		time.Sleep(stillPause)
	}
	return nil, sum, errWriting
}

// readOnce reads a file. It ends with errWriting unless the file looked the same after as before.
func readOnce(path string, known *[sha256.Size]byte, pace *pacer) (text []byte, sum [sha256.Size]byte, err error) {
	before, err := os.Stat(path)
	if err != nil {
		return nil, sum, err
	}
	if !before.Mode().IsRegular() { // a pipe would be waited for
		return nil, sum, errors.New("this is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, sum, err
	}
	defer file.Close()
	size := before.Size()
	if known != nil {
		sum, err = readPieces(file, size, nil, pace)
	}
	if err == nil && (known == nil || sum != *known) {
		text = make([]byte, size)
		sum, err = readPieces(io.NewSectionReader(file, 0, size), size, text, pace)
	}
	if err != nil {
		return nil, sum, err
	}
	after, err := os.Stat(path)
	if err != nil {
		return nil, sum, err
	}
	if !os.SameFile(before, after) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, sum, errWriting
	}
	return text, sum, nil
}

// pieceBytes is how much of a text is looked at in one go. What digests memory in assembly cannot
// be interrupted, not even for the collector, which holds up everybody until it can.
const pieceBytes = 256 << 10

// readPieces reads size bytes and returns their digest. It fills text, unless that is nil.
func readPieces(from io.Reader, size int64, text []byte, pace *pacer) (sum [sha256.Size]byte, err error) {
	digest, room := sha256.New(), []byte(nil)
	if text == nil {
		room = make([]byte, min(size, pieceBytes))
	}
	for at := int64(0); at < size; {
		n := min(size-at, pieceBytes)
		piece := room
		if text != nil {
			piece = text[at:]
		}
		if _, err := io.ReadFull(from, piece[:n]); err == io.EOF || err == io.ErrUnexpectedEOF {
			return sum, errWriting
		} else if err != nil {
			return sum, err
		}
		digest.Write(piece[:n])
		at += n
		pace.rest()
	}
	return [sha256.Size]byte(digest.Sum(nil)), nil
}
