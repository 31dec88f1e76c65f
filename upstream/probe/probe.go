package probe

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/wake"
)

// Support says what is known about the backend and x-flespi-cid.
type Support uint8

// What can be known. Unknown is not a suspicion: no row was seen yet.
const (
	Unknown Support = iota
	Honoured
	Ignored
)

// String returns the word for logs and for `check --live`.
func (o Support) String() string { return [...]string{"unknown", "obeyed", "ignored"}[o] }

// Result is the outcome of one check.
type Result struct {
	Support    Support
	Probes     int    // pages asked for
	Collection string // uri of the one that showed it; "" for none
	Account    int64  // the leaf that it was asked for
	Foreign    int64  // Ignored: the account of a row from outside; 0: the row named none
}

// The reasons why a Probe is not ready.
var (
	ErrNotProbed     = errors.New("nobody has checked yet whether the backend obeys x-flespi-cid")
	ErrHeaderIgnored = errors.New("the backend ignores x-flespi-cid: it shows items of other accounts")
	ErrNoAccounts    = errors.New("items of the backend have no cid, so nothing keeps accounts apart: use scope.mode none with one account, or scope.owners store")
)

// unchecked is an ErrNotProbed that knows why the last try failed, in words that everybody may read.
type unchecked string

func (u unchecked) Error() string { return "not checked: " + string(u) }

// Is makes every unchecked an ErrNotProbed.
func (u unchecked) Is(target error) bool { return target == ErrNotProbed }

// uncheckedBy puts the error of a check into words that name no address.
func uncheckedBy(err error) unchecked {
	switch {
	case errors.Is(err, listing.ErrUnauthorized):
		return "the backend rejected the key in upstream.token_file (401)"
	case errors.Is(err, upstream.ErrDial):
		return "the backend cannot be reached"
	case errors.Is(err, upstream.ErrTimeout), errors.Is(err, upstream.ErrCanceled):
		return "the backend does not answer in time"
	}
	return "the backend gives no answer that tells; the log has it"
}

const (
	maxPages     = 200 // pages of one check
	pagePause    = 2 * time.Millisecond
	againKnown   = time.Hour
	againUnknown = time.Minute      // while nothing is known
	againFailed  = 10 * time.Second // after a check that failed
	againFirst   = time.Second      // after one that failed before the first has ended: meanwhile requests are refused
)

// Options say where to look.
type Options struct {
	Backend   listing.Doer
	Key       func() string       // the gateway's own credential
	Tree      func() *policy.Tree // the accounts in force; nil as long as they are not known
	Catalogue *policy.Catalogue
	Log       *slog.Logger
	// Changed is called after every check with what is known; it may be nil.
	Changed func(Support)
}

// Probe checks whether the backend obeys x-flespi-cid (SPEC 4.4): the header alone keeps accounts
// apart in header mode, and a backend that does not know it answers all the same. look.go says what
// a check looks for. Failures say neither.
type Probe struct {
	lister listing.Lister
	Options
	collections []*policy.Collection
	at          int // where the next check begins
	state       atomic.Uint32
	checked     atomic.Bool
	noAccounts  atomic.Bool               // Ignored, since rows name no account
	failed      atomic.Pointer[unchecked] // why the last check said nothing; nil: none has failed
	wake        wake.Signal
	tried       chan struct{} // closed when a check has ended, whatever became of it
	trying      sync.Once
}

// New returns a Watch that has not checked yet.
func New(o Options) *Probe {
	p := &Probe{lister: listing.Lister{Backend: o.Backend, Key: o.Key, Log: o.Log}, Options: o, wake: wake.New(), tried: make(chan struct{})}
	for _, c := range o.Catalogue.Collections {
		// What a master sees of an account may be the account itself, which belongs to the account
		// above.
		if !listing.HasAccounts(c) || c.MasterOnly {
			continue
		}
		p.collections = append(p.collections, c)
		if c.Role == policy.RoleDevices { // the one that is hardly ever empty
			last := len(p.collections) - 1
			p.collections[0], p.collections[last] = c, p.collections[0]
		}
	}
	return p
}

// Refusal returns why requests are refused that nothing but the header limits: the backend was seen
// to ignore it, which only a check that sees it obeyed ends, or no check has ended yet.
func (p *Probe) Refusal() policy.Reason {
	switch {
	case p.State() == Ignored:
		return policy.ScopeIgnored
	case !p.checked.Load():
		return policy.ScopeUnchecked
	}
	return policy.NotJudged
}

// State returns what is known.
func (p *Probe) State() Support { return Support(p.state.Load()) }

// Ready returns nil when a check has ended and did not see the header ignored; else why not.
func (p *Probe) Ready() error {
	switch p.Refusal() {
	case policy.ScopeIgnored:
		if p.noAccounts.Load() {
			return ErrNoAccounts
		}
		return ErrHeaderIgnored
	case policy.ScopeUnchecked:
		if why := p.failed.Load(); why != nil {
			return *why
		}
		return ErrNotProbed
	}
	return nil
}

// PolicyLoaded makes Run check again: other accounts may be leaves now. It never blocks.
func (p *Probe) PolicyLoaded() { p.wake.Wake() }

// Tried is closed when the first check of Run has ended, whatever became of it.
func (p *Probe) Tried() <-chan struct{} { return p.tried }

// Run checks at once, after each policy load, every hour, and sooner while nothing is known. It
// returns when ctx ends.
func (p *Probe) Run(ctx context.Context) {
	for ctx.Err() == nil {
		p.wake.Sleep(ctx, p.check(ctx))
	}
}

// check probes once, records and logs the outcome, and returns when to probe again.
func (p *Probe) check(ctx context.Context) time.Duration {
	f, err := p.Check(ctx)
	defer p.trying.Do(func() { close(p.tried) })
	switch {
	case ctx.Err() != nil:
		return againFailed
	case errors.Is(err, listing.ErrNoKey):
		// The caller's own credential goes upstream: it is the backend that judges by it.
		p.checked.Store(true)
		p.Log.Warn("cannot look whether the backend obeys x-flespi-cid", "error", err)
		return againKnown
	case errors.Is(err, ErrNotProbed):
		// The accounts are not known yet. Whoever reads them logs what fails, and calls PolicyLoaded.
		return againFailed
	case err != nil:
		why := uncheckedBy(err)
		if before := p.failed.Swap(&why); before == nil || before.Error() != why.Error() { // one line, however often the same fails
			p.Log.Warn("cannot look whether the backend obeys x-flespi-cid", "error", err)
		}
		if !p.checked.Load() {
			return againFirst
		}
		return againFailed
	}
	p.failed.Store(nil)
	p.note(&f)
	if f.Support == Unknown {
		return againUnknown
	}
	return againKnown
}

// note keeps the outcome of a check. Seeing nothing does not clear a backend that was seen to
// ignore the header.
func (p *Probe) note(f *Result) {
	switch {
	case f.Support == Ignored && f.Foreign == 0:
		p.Log.Error("items of the backend have no cid, so nothing keeps accounts apart: requests that only the account scope limits are refused",
			"collection", f.Collection, "asked_for_account", f.Account)
	case f.Support == Ignored:
		p.Log.Error("the backend ignores x-flespi-cid: requests that only the account scope limits are refused",
			"collection", f.Collection, "asked_for_account", f.Account, "got_item_of_account", f.Foreign)
	case f.Support == Unknown:
		p.Log.Warn("nothing tells whether the backend obeys x-flespi-cid", "pages", f.Probes)
	case p.State() != Honoured:
		p.Log.Info("the backend obeys x-flespi-cid", "collection", f.Collection, "account", f.Account)
	}
	if f.Support != Unknown || p.State() != Ignored {
		p.noAccounts.Store(f.Support == Ignored && f.Foreign == 0)
		p.state.Store(uint32(f.Support))
	}
	p.checked.Store(true)
	if p.Changed != nil {
		p.Changed(p.State())
	}
}

// Check probes once, with at most 200 pages, and leaves no trace but where the next check begins.
// It must not be called beside Run. The error says why nothing could be seen.
func (p *Probe) Check(ctx context.Context) (Result, error) {
	tree := p.Tree()
	if tree == nil {
		return Result{}, ErrNotProbed
	}
	l := look{Probe: p, tree: tree, leaves: tree.Leaves(), own: map[int64]bool{}}
	defer context.AfterFunc(ctx, l.answer.Cancel)()
	defer l.answer.Close()
	for total := len(l.leaves) * len(p.collections); l.found.Probes < min(total, maxPages); {
		// One collection under every leaf, then the next: most leaves have devices.
		turn := p.at % total
		seen, err := l.read(p.collections[turn/len(l.leaves)], l.leaves[turn%len(l.leaves)])
		if err == nil {
			err = l.judge(seen)
		}
		if err != nil || l.found.Support != Unknown {
			return l.found, err
		}
		p.at = turn + 1
		wake.Signal(nil).Sleep(ctx, pagePause)
	}
	l.conclude()
	if l.found.Support == Unknown && !l.answered && l.refused != nil {
		return l.found, l.refused
	}
	return l.found, ctx.Err()
}
