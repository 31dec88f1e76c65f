package upstream

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"aclgate/policy"
)

// Obedience says what is known about the backend and x-flespi-cid.
type Obedience uint8

// What can be known. Unknown is not a suspicion: nobody has seen a row yet.
const (
	Unknown Obedience = iota
	Obeyed
	Ignored
)

// String returns the word for logs and for `check --live`.
func (o Obedience) String() string { return [...]string{"unknown", "obeyed", "ignored"}[o] }

// Finding is the outcome of one look.
type Finding struct {
	Obedience  Obedience
	Probes     int    // pages asked for
	Collection string // uri of the one that showed rows; "" for none
	Account    int64  // the leaf that it was asked for
	Foreign    int64  // Ignored: the account of the first row from outside; 0: the row named none
}

// The reasons why a Watch is not ready.
var (
	ErrNotLooked     = errors.New("nobody has looked yet whether the backend obeys x-flespi-cid")
	ErrHeaderIgnored = errors.New("the backend ignores x-flespi-cid: it shows items of other accounts")
)

const (
	watchRound  = 200 // pages of one look
	watchPause  = 2 * time.Millisecond
	watchKnown  = time.Hour
	watchBlank  = time.Minute      // while nothing is known
	watchFailed = 10 * time.Second // after a look that failed
)

// WatchOptions say where to look.
type WatchOptions struct {
	Backend   Doer
	Key       func() string // the gateway's own credential
	Tree      func() *policy.Tree
	Catalogue *policy.Catalogue
	Log       *slog.Logger
	// Changed is told after every look what is known; it may be nil.
	Changed func(Obedience)
}

// Watch looks whether the backend obeys x-flespi-cid (SPEC 4.4): the header alone keeps
// accounts apart in header mode, and a backend that does not know it answers all the same.
// A page of a scoped collection is read under leaf accounts, in turn, until one shows rows,
// and then under one more leaf; a row from outside of the leaf, or that names no account,
// means that the header is ignored. Failures say neither.
type Watch struct {
	lister
	WatchOptions
	collections []*policy.Collection
	at          int // where the next look begins
	state       atomic.Uint32
	looked      atomic.Bool
	loaded      chan struct{}
}

// NewWatch returns a Watch that has not looked yet.
func NewWatch(o WatchOptions) *Watch {
	w := &Watch{lister: lister{o.Backend, o.Key, o.Log}, WatchOptions: o, loaded: make(chan struct{}, 1)}
	for _, c := range o.Catalogue.Collections {
		// What a master sees of an account may be the account itself, whose own account
		// is above.
		if !indexed(c) || c.MasterOnly {
			continue
		}
		w.collections = append(w.collections, c)
		if c.Role == policy.RoleDevices { // the one that is hardly ever empty
			last := len(w.collections) - 1
			w.collections[0], w.collections[last] = c, w.collections[0]
		}
	}
	return w
}

// Ignored reports whether the backend was seen to ignore the header. Once seen, only a look
// that sees it obeyed ends it.
func (w *Watch) Ignored() bool { return w.State() == Ignored }

// State returns what is known.
func (w *Watch) State() Obedience { return Obedience(w.state.Load()) }

// Ready returns nil when a look has ended and did not see the header ignored; else why not.
func (w *Watch) Ready() error {
	switch {
	case w.Ignored():
		return ErrHeaderIgnored
	case !w.looked.Load():
		return ErrNotLooked
	}
	return nil
}

// PolicyLoaded makes Run look again: other accounts may be leaves now. It never blocks.
func (w *Watch) PolicyLoaded() {
	select {
	case w.loaded <- struct{}{}:
	default:
	}
}

// Run looks at once, after each policy load, every hour, and sooner while nothing is known.
// It returns when ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := w.look(ctx)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-w.loaded:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look takes one look, notes and logs its outcome, and returns when to look again.
func (w *Watch) look(ctx context.Context) time.Duration {
	f, err := w.Check(ctx)
	switch {
	case ctx.Err() != nil:
		return watchFailed
	case errors.Is(err, ErrNoKey):
		// The caller's own credential goes upstream: it is the backend that judges by it.
		w.looked.Store(true)
		w.Log.Warn("cannot look whether the backend obeys x-flespi-cid", "error", err)
		return watchKnown
	case err != nil:
		w.Log.Warn("cannot look whether the backend obeys x-flespi-cid", "error", err)
		return watchFailed
	}
	w.note(&f)
	if f.Obedience == Unknown {
		return watchBlank
	}
	return watchKnown
}

// note keeps the outcome of a look. Seeing nothing does not clear a backend that was seen
// to ignore the header.
func (w *Watch) note(f *Finding) {
	switch {
	case f.Obedience == Ignored:
		w.Log.Error("the backend ignores x-flespi-cid: requests that only the account scope limits are refused",
			"collection", f.Collection, "asked_for_account", f.Account, "got_item_of_account", f.Foreign)
	case f.Obedience == Unknown:
		w.Log.Warn("no rows to tell whether the backend obeys x-flespi-cid", "pages", f.Probes)
	case w.State() != Obeyed:
		w.Log.Info("the backend obeys x-flespi-cid", "collection", f.Collection, "account", f.Account)
	}
	if f.Obedience != Unknown || !w.Ignored() {
		w.state.Store(uint32(f.Obedience))
	}
	w.looked.Store(true)
	if w.Changed != nil {
		w.Changed(w.State())
	}
}

// Check takes one look, of at most 200 pages, and leaves no trace of it but where the next
// one begins. It must not be called beside Run. The error says why nothing could be seen.
func (w *Watch) Check(ctx context.Context) (Finding, error) {
	var a Answer
	defer context.AfterFunc(ctx, a.Cancel)()
	defer a.Close()
	var f Finding
	tree := w.Tree()
	if tree == nil {
		return f, ErrNotLooked
	}
	leaves := tree.Leaves()
	for total := len(leaves) * len(w.collections); f.Probes < min(total, watchRound); {
		// One collection under every leaf, then the next: most leaves have devices.
		turn := w.at % total
		f.Account = leaves[turn%len(leaves)]
		col := w.collections[turn/len(leaves)]
		f.Probes++
		if err := w.probe(&a, tree, col, &f); err != nil {
			return f, err
		}
		if f.Obedience == Obeyed {
			if err := w.contrast(&a, tree, col, leaves, &f); err != nil {
				return f, err
			}
		}
		if f.Obedience != Unknown {
			f.Collection = col.URI
			return f, nil
		}
		w.at = turn + 1
		wait(ctx, watchPause)
	}
	f.Account = 0
	return f, ctx.Err()
}

// contrast asks for the same page under another leaf. Rows of the leaf that was asked for
// first prove little alone: a backend that ignores the header shows them too when it has no
// others, or none on its first page. Under another leaf they must not be there.
func (w *Watch) contrast(a *Answer, tree *policy.Tree, col *policy.Collection, leaves []int64, f *Finding) error {
	for _, other := range leaves {
		if other == f.Account {
			continue
		}
		second := Finding{Account: other}
		f.Probes++
		if err := w.probe(a, tree, col, &second); err != nil {
			f.Obedience = Unknown
			return err
		}
		if second.Obedience == Ignored {
			f.Obedience, f.Account, f.Foreign = Ignored, other, second.Foreign
		}
		return nil
	}
	return nil
}

// probe reads one page. A backend that does not know the account or the collection has
// shown no rows.
func (w *Watch) probe(a *Answer, tree *policy.Tree, col *policy.Collection, f *Finding) error {
	q := listing{
		target: []byte("/" + col.URI + "/all?fields=id%2Ccid"), cid: f.Account,
		columns: Columns{Names: []string{"cid"}},
	}
	rows := 0
	_, err := w.page(a, &q, pageRows, 0, func(r *Row) bool {
		rows++
		f.Obedience = Obeyed
		if !r.Is[0] || !tree.Contains(f.Account, r.ID[0]) {
			f.Obedience, f.Foreign = Ignored, r.ID[0]
		}
		// A page that ignores its limit as well need not be read to its end.
		return f.Obedience == Obeyed && rows < pageRows
	})
	var refused *AnswerError
	switch {
	case errors.As(err, &refused) && refused.Status != 429:
		return nil
	case err != nil && f.Obedience != Ignored:
		f.Obedience = Unknown
		return err
	}
	return nil
}

// wait waits, or less when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
