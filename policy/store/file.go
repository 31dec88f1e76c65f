package store

import (
	"context"
	"crypto/sha256"
	"iter"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/config/strict"
	"aclgate/policy"
)

// FileOptions say what a File store reads and how.
type FileOptions struct {
	Path      string
	Catalogue *policy.Catalogue // for warnings about entries; nil: none
	MaxDepth  int               // levels of accounts
	Logger    *slog.Logger      // nil: slog.Default()

	// Accept says why the accounts of a file cannot be obeyed, sound as they are, nil if they can: such
	// a file is refused like a broken one. nil: all can.
	Accept func(*policy.Tree) error

	// Changed is told what every reading led to, the first one too, before Reload returns. It must
	// not call the File; nil: nobody is told.
	Changed func(State, What)
}

// File is the store of one policy file. Its Run has to be running for changes of the file to be
// noticed and for last uses to be kept.
type File struct {
	opts FileOptions
	uses *uses

	current atomic.Pointer[snapshot]
	state   atomic.Pointer[State]

	reading sync.Mutex // one reload at a time; requests never take it
	sum     [sha256.Size]byte
	read    bool  // sum is that of a text that was judged
	result  error // what Reload said about it
}

var _ Store = (*File)(nil)

// snapshot is everything that one version of the file says.
type snapshot struct {
	revision uint64
	sum      [sha256.Size]byte
	policy   *Policy
	warnings strict.Faults
}

// What says which parts of a policy a change touched, beside tokens.
type What struct {
	Tree  bool // the accounts
	Kinds bool // what Kinds yields

	Tables TableSet // whose rows moved, Tokens too; of a policy file none
	Users  []int64  // whose records moved; not of AllTables
}

// State is what a store tells about itself.
type State struct {
	Revision uint64
	Stale    bool          // what there is now was refused or cannot be read, something older is obeyed
	Loaded   time.Time     // when the file that is obeyed was last read
	Faults   strict.Faults // of the last reading: why it was refused, or warnings
	Tokens   map[policy.Access]int
	Accounts int
	Rows     map[Table]int // of a database: how many there are of the kinds that a policy file has not
}

// OpenFile reads the policy file and the last uses beside it. A file with a fault is an error that
// holds all strict.Faults.
func OpenFile(opts FileOptions) (*File, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	f := &File{opts: opts, uses: newUses(opts.Path + usesSuffix)}
	f.state.Store(&State{})
	for _, fault := range f.uses.load(time.Now().Unix()) {
		opts.Logger.Warn("last uses of tokens", "fault", fault.String())
	}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	if f.current.Load().policy.Len() >= manyTokens {
		debug.FreeOSMemory()
	}
	return f, nil
}

// manyTokens is from where on the text of a policy, which is thrown away once it is read, is worth
// a collection before the first request. What a start leaves behind, the process would keep for
// good.
const manyTokens = 5000

// Revision implements Store. A file is read whole, so its revision is the same for every key.
func (f *File) Revision(uint64) uint64 { return f.current.Load().revision }

// Fresh implements Store: what the file said last is the truth until it says something else.
func (f *File) Fresh(time.Time) bool { return true }

// Load implements Store. It never ends with ErrStale: what the file said last is the truth until it
// says something else.
func (f *File) Load(d policy.Digest) (*Record, error) {
	if r := f.current.Load().policy.Find(d); r != nil {
		return r, nil
	}
	return nil, ErrNotFound
}

// Tree implements Store.
func (f *File) Tree() *policy.Tree { return f.current.Load().policy.Tree }

// Kinds yields what tokens the policy in force has: see Policy.Kinds.
func (f *File) Kinds() iter.Seq2[policy.Access, []policy.Entry] {
	return f.current.Load().policy.Kinds()
}

// State returns how the store is doing. It waits for nothing, and what it returns must not be
// changed.
func (f *File) State() State { return *f.state.Load() }

// Reload reads the file and, if there is no fault in it, obeys it from now on: every Load that
// begins after Reload returned nil does. Otherwise nothing changes and the error holds every fault
// as strict.Faults.
func (f *File) Reload() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	return f.refresh()
}

// refresh reads the file. A text that was judged before is not judged again.
func (f *File) refresh() error {
	start := time.Now()
	pace := f.pacer()
	text, sum, err := readStill(f.opts.Path, f.known(), pace)
	if err != nil {
		f.read = false
		return f.refuse(strict.Faults{{File: f.opts.Path, Message: err.Error()}})
	}
	if f.read && sum == f.sum && f.result != nil {
		return f.result
	}
	f.sum, f.read, f.result = sum, true, nil
	if now := f.current.Load(); now != nil && now.sum == sum {
		f.publish(now)
		return nil
	}
	r := newReader(f.opts.Path, f.opts.Catalogue, f.opts.MaxDepth)
	r.pace = pace
	p, faults := r.read(text)
	if p != nil && f.opts.Accept != nil {
		if err := f.opts.Accept(p.Tree); err != nil {
			p, faults = nil, append(faults, strict.Fault{File: f.opts.Path, Message: "accounts: " + err.Error()})
		}
	}
	if p == nil {
		f.result = f.refuse(faults)
		return f.result
	}
	f.swap(&snapshot{revision: 1, sum: sum, policy: p, warnings: faults}, pace)
	f.opts.Logger.Info("policy loaded", "file", f.opts.Path, "revision", f.current.Load().revision, "tokens", p.Len(),
		"accounts", len(p.Tree.Accounts()), "warnings", len(faults), "took", time.Since(start).Round(time.Millisecond))
	f.logFaults(slog.LevelWarn, "policy file", faults)
	return nil
}

// pacer returns one for a reload. At the start nobody waits.
func (f *File) pacer() *pacer {
	if f.current.Load() == nil {
		return nil
	}
	return newPacer()
}

// known returns the digest of the text that was judged last, nil without one.
func (f *File) known() *[sha256.Size]byte {
	if !f.read {
		return nil
	}
	return &f.sum
}

// swap puts a snapshot in the place of the one that is obeyed.
func (f *File) swap(next *snapshot, pace *pacer) {
	if old := f.current.Load(); old != nil {
		next.revision = old.revision + 1
	}
	f.uses.adopt(next.policy, pace)
	f.current.Store(next)
	f.publish(next)
}

// publish notes that s is what the file says.
func (f *File) publish(s *snapshot) {
	st := &State{Revision: s.revision, Loaded: time.Now(), Faults: s.warnings, Tokens: map[policy.Access]int{}}
	for access, n := range s.policy.tokens {
		if n > 0 {
			st.Tokens[policy.Access(access)] = n
		}
	}
	st.Accounts = len(s.policy.Tree.Accounts())
	f.tell(st)
}

func (f *File) tell(st *State) {
	f.state.Store(st)
	if f.opts.Changed != nil {
		f.opts.Changed(*st, What{Tree: true, Kinds: true})
	}
}

// refuse notes that the file is not obeyed, and why.
func (f *File) refuse(faults strict.Faults) error {
	st := *f.state.Load()
	st.Stale, st.Faults = true, faults
	f.tell(&st)
	if f.current.Load() != nil { // else OpenFile returns them, and whoever called it says so
		f.logFaults(slog.LevelError, "policy file refused", faults)
	}
	return faults
}

// maxLogged bounds the lines of one reading in the log; check names all.
const maxLogged = 20

func (f *File) logFaults(level slog.Level, message string, faults strict.Faults) {
	for i, fault := range faults {
		if i == maxLogged {
			f.opts.Logger.Log(context.Background(), level, message, "more", len(faults)-i)
			return
		}
		f.opts.Logger.Log(context.Background(), level, message, "fault", fault.String())
	}
}
