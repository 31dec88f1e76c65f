package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"aclgate/config/strict"
	"aclgate/policy"
)

// uses holds the last use of every token that has a ttl, one counter per token id for the whole
// life of the process, so that a reload forgets none. Its file has a line for each: the id and the
// unix second.
type uses struct {
	path string

	mu     sync.Mutex // adopt and save; requests touch the counters alone
	last   map[int64]*atomic.Int64
	living []int64 // ids of the tokens that the policy knows, ascending

	saving sync.Mutex // one keep at a time
	fault  error      // of the last keep
}

// usesSuffix makes the name of the file of last uses out of the policy's.
const usesSuffix = ".uses"

const usesHead = "# aclgate: last uses of tokens with a ttl: id, unix seconds\n"

func newUses(path string) *uses { return &uses{path: path, last: make(map[int64]*atomic.Int64)} }

// load merges the file into the counters, by maximum. Whatever is damaged is a warning: without its
// last use a token ends sooner, never later. For the same reason no use lies after now.
func (u *uses) load(now int64) strict.Faults {
	text, err := os.ReadFile(u.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return strict.Faults{{File: u.path, Message: err.Error(), Warning: true}}
	}
	return u.merge(text, now)
}

// merge raises the counters to what a text of the file says.
func (u *uses) merge(text []byte, now int64) strict.Faults {
	u.mu.Lock()
	defer u.mu.Unlock()
	damaged := faultList{file: u.path}
	for i, line := range bytes.Split(text, []byte{'\n'}) {
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		id, at, found := bytes.Cut(line, []byte{' '})
		token, okID := policy.ParseID(id)
		used, okAt := policy.ParseID(at)
		if !found || !okID || !okAt {
			damaged.warn(strict.Pos{Line: i + 1, Col: 1}, "expected an id and unix seconds; the line is left out")
			continue
		}
		raise(u.counter(token), min(used, now))
	}
	return damaged.all()
}

// raise lifts a counter to v unless it is higher already.
func raise(c *atomic.Int64, v int64) {
	for last := c.Load(); last < v; last = c.Load() {
		if c.CompareAndSwap(last, v) {
			return
		}
	}
}

func (u *uses) counter(id int64) *atomic.Int64 {
	c := u.last[id]
	if c == nil {
		c = new(atomic.Int64)
		u.last[id] = c
	}
	return c
}

// AdoptUses gives the tokens of a policy the last uses that stand beside its file, for whoever
// judges without a running File. It returns warnings only.
func (p *Policy) AdoptUses(file string, now int64) strict.Faults {
	u := newUses(file + usesSuffix)
	faults := u.load(now)
	u.adopt(p, nil)
	return faults
}

// adopt gives every token with a ttl its counter. It has to be called before anybody sees the
// records of p.
func (u *uses) adopt(p *Policy, pace *pacer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p.lasts = make([]*atomic.Int64, len(p.timed))
	for i, id := range p.timed {
		p.lasts[i] = u.counter(id)
		pace.step()
	}
	u.living = slices.Sorted(slices.Values(p.timed))
}

// keep saves and remembers what became of it. While the last attempt failed it also looks whether
// the folder can be written now, since there may be nothing to save.
func (u *uses) keep(now int64) {
	u.saving.Lock()
	defer u.saving.Unlock()
	err := u.save(now)
	if err == nil && u.fault != nil {
		err = u.probe()
	}
	u.fault = err
}

// begin looks whether the file can be written, before there is something to write.
func (u *uses) begin() {
	u.saving.Lock()
	defer u.saving.Unlock()
	u.fault = u.probe()
}

// probe reports why the file could not be written; nil if it could, or if no token has a ttl.
func (u *uses) probe() error {
	u.mu.Lock()
	none := len(u.living) == 0
	u.mu.Unlock()
	if none {
		return nil
	}
	return probeFolder(u.path)
}

func (u *uses) lastFault() error {
	u.saving.Lock()
	defer u.saving.Unlock()
	return u.fault
}

// CheckUses reports why last uses could not be kept beside the file of this policy; nil if they
// can, or if no token needs them.
func (p *Policy) CheckUses(file string) error {
	if len(p.timed) == 0 {
		return nil
	}
	return probeFolder(file + usesSuffix)
}

// probeFolder makes a file beside path and takes it away again.
func probeFolder(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+usesTemp)
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if err != nil {
		return fmt.Errorf("cannot write beside %q: %w", path, err)
	}
	return nil
}

// save writes the last uses of the tokens that the policy knows, if the file does not say so
// already. What another gateway beside the same file has written is merged before, and not lost. The
// old file stays whole until the new one is.
func (u *uses) save(now int64) error {
	before, err := os.ReadFile(u.path)
	if err == nil {
		u.merge(before, now)
	}
	text := u.text()
	if bytes.Equal(text, before) || err != nil && len(text) == len(usesHead) {
		return nil
	}
	if err := replaceFile(u.path, text); err != nil {
		return fmt.Errorf("cannot write %q: %w", u.path, err)
	}
	return nil
}

// text returns what the file is to hold.
func (u *uses) text() []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	text := []byte(usesHead)
	for _, id := range u.living {
		if at := u.last[id].Load(); at > 0 {
			text = append(strconv.AppendInt(text, id, 10), ' ')
			text = append(strconv.AppendInt(text, at, 10), '\n')
		}
	}
	return text
}

// usesTemp ends the name of a file that is being written; the star is random, because another
// gateway may be at it, too.
const usesTemp = ".*.tmp"

// replaceFile writes a file beside path, sees it to the disk, and puts it in the place of path.
func replaceFile(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+usesTemp) // with mode 0600
	if err != nil {
		return err
	}
	temp := file.Name()
	w := bufio.NewWriter(file)
	_, err = w.Write(text)
	err = errors.Join(err, w.Flush(), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}
