package probe

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/wake"
)

// Support says what is known about the backend and x-flespi-cid.
type Support uint8

// What can be known. Unknown is not a suspicion: nobody has seen a row yet.
const (
	Unknown Support = iota
	Honoured
	Ignored
)

// String returns the word for logs and for `check --live`.
func (o Support) String() string { return [...]string{"unknown", "obeyed", "ignored"}[o] }

// Result is the outcome of one look.
type Result struct {
	Support    Support
	Probes     int    // pages asked for
	Collection string // uri of the one that showed rows; "" for none
	Account    int64  // the leaf that it was asked for
	Foreign    int64  // Ignored: the account of the first row from outside; 0: the row named none
}

// The reasons why a Probe is not ready.
var (
	ErrNotProbed     = errors.New("nobody has looked yet whether the backend obeys x-flespi-cid")
	ErrHeaderIgnored = errors.New("the backend ignores x-flespi-cid: it shows items of other accounts")
)

const (
	maxPages    = 200 // pages of one look
	pagePause   = 2 * time.Millisecond
	whenKnown   = time.Hour
	whenUnknown = time.Minute      // while nothing is known
	whenFailed  = 10 * time.Second // after a look that failed
)

// Options say where to look.
type Options struct {
	Backend   listing.Doer
	Key       func() string // the gateway's own credential
	Tree      func() *policy.Tree
	Catalogue *policy.Catalogue
	Log       *slog.Logger
	// Changed is told after every look what is known; it may be nil.
	Changed func(Support)
}

// Watch looks whether the backend obeys x-flespi-cid (SPEC 4.4): the header alone keeps
// accounts apart in header mode, and a backend that does not know it answers all the same.
// A page of a scoped collection is read under leaf accounts, in turn, until one shows rows,
// and then under one more leaf; a row from outside of the leaf, or that names no account,
// means that the header is ignored. Failures say neither.
type Probe struct {
	lister listing.Lister
	Options
	collections []*policy.Collection
	at          int // where the next look begins
	state       atomic.Uint32
	looked      atomic.Bool
	wake        wake.Signal
}

// New returns a Watch that has not looked yet.
func New(o Options) *Probe {
	w := &Probe{lister: listing.Lister{Backend: o.Backend, Key: o.Key, Log: o.Log}, Options: o, wake: wake.New()}
	for _, c := range o.Catalogue.Collections {
		// What a master sees of an account may be the account itself, whose own account
		// is above.
		if !listing.HasAccounts(c) || c.MasterOnly {
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
func (w *Probe) Ignored() bool { return w.State() == Ignored }

// State returns what is known.
func (w *Probe) State() Support { return Support(w.state.Load()) }

// Ready returns nil when a look has ended and did not see the header ignored; else why not.
func (w *Probe) Ready() error {
	switch {
	case w.Ignored():
		return ErrHeaderIgnored
	case !w.looked.Load():
		return ErrNotProbed
	}
	return nil
}

// PolicyLoaded makes Run look again: other accounts may be leaves now. It never blocks.
func (w *Probe) PolicyLoaded() {
	w.wake.Wake()
}

// Run looks at once, after each policy load, every hour, and sooner while nothing is known.
// It returns when ctx ends.
func (w *Probe) Run(ctx context.Context) {
	for ctx.Err() == nil {
		w.wake.Sleep(ctx, w.look(ctx))
	}
}

// look takes one look, notes and logs its outcome, and returns when to look again.
func (w *Probe) look(ctx context.Context) time.Duration {
	f, err := w.Check(ctx)
	switch {
	case ctx.Err() != nil:
		return whenFailed
	case errors.Is(err, listing.ErrNoKey):
		// The caller's own credential goes upstream: it is the backend that judges by it.
		w.looked.Store(true)
		w.Log.Warn("cannot look whether the backend obeys x-flespi-cid", "error", err)
		return whenKnown
	case err != nil:
		w.Log.Warn("cannot look whether the backend obeys x-flespi-cid", "error", err)
		return whenFailed
	}
	w.note(&f)
	if f.Support == Unknown {
		return whenUnknown
	}
	return whenKnown
}

// note keeps the outcome of a look. Seeing nothing does not clear a backend that was seen
// to ignore the header.
func (w *Probe) note(f *Result) {
	switch {
	case f.Support == Ignored:
		w.Log.Error("the backend ignores x-flespi-cid: requests that only the account scope limits are refused",
			"collection", f.Collection, "asked_for_account", f.Account, "got_item_of_account", f.Foreign)
	case f.Support == Unknown:
		w.Log.Warn("no rows to tell whether the backend obeys x-flespi-cid", "pages", f.Probes)
	case w.State() != Honoured:
		w.Log.Info("the backend obeys x-flespi-cid", "collection", f.Collection, "account", f.Account)
	}
	if f.Support != Unknown || !w.Ignored() {
		w.state.Store(uint32(f.Support))
	}
	w.looked.Store(true)
	if w.Changed != nil {
		w.Changed(w.State())
	}
}

// Check takes one look, of at most 200 pages, and leaves no trace of it but where the next
// one begins. It must not be called beside Run. The error says why nothing could be seen.
func (w *Probe) Check(ctx context.Context) (Result, error) {
	var a upstream.Answer
	defer context.AfterFunc(ctx, a.Cancel)()
	defer a.Close()
	var f Result
	tree := w.Tree()
	if tree == nil {
		return f, ErrNotProbed
	}
	leaves := tree.Leaves()
	for total := len(leaves) * len(w.collections); f.Probes < min(total, maxPages); {
		// One collection under every leaf, then the next: most leaves have devices.
		turn := w.at % total
		f.Account = leaves[turn%len(leaves)]
		col := w.collections[turn/len(leaves)]
		f.Probes++
		if err := w.probe(&a, tree, col, &f); err != nil {
			return f, err
		}
		if f.Support == Honoured {
			if err := w.contrast(&a, tree, col, leaves, &f); err != nil {
				return f, err
			}
		}
		if f.Support != Unknown {
			f.Collection = col.URI
			return f, nil
		}
		w.at = turn + 1
		wake.Signal(nil).Sleep(ctx, pagePause)
	}
	f.Account = 0
	return f, ctx.Err()
}

// contrast asks for the same page under another leaf. Rows of the leaf that was asked for
// first prove little alone: a backend that ignores the header shows them too when it has no
// others, or none on its first page. Under another leaf they must not be there.
func (w *Probe) contrast(a *upstream.Answer, tree *policy.Tree, col *policy.Collection, leaves []int64, f *Result) error {
	for _, other := range leaves {
		if other == f.Account {
			continue
		}
		second := Result{Account: other}
		f.Probes++
		if err := w.probe(a, tree, col, &second); err != nil {
			f.Support = Unknown
			return err
		}
		if second.Support == Ignored {
			f.Support, f.Account, f.Foreign = Ignored, other, second.Foreign
		}
		return nil
	}
	return nil
}

// probe reads one page. A backend that does not know the account or the collection has
// shown no rows.
func (w *Probe) probe(a *upstream.Answer, tree *policy.Tree, col *policy.Collection, f *Result) error {
	q := listing.Query{
		Target: []byte("/" + col.URI + "/all?fields=id%2Ccid"), CID: f.Account,
		Columns: listing.Columns{Names: []string{"cid"}},
	}
	rows := 0
	err := w.lister.Page(a, &q, listing.PageRows, func(r *listing.Row) bool {
		rows++
		f.Support = Honoured
		if !r.Is[0] || !tree.Contains(f.Account, r.ID[0]) {
			f.Support, f.Foreign = Ignored, r.ID[0]
		}
		// A page that ignores its limit as well need not be read to its end.
		return f.Support == Honoured && rows < listing.PageRows
	})
	var refused *listing.AnswerError
	switch {
	case errors.As(err, &refused) && refused.Status != 429:
		return nil
	case err != nil && f.Support != Ignored:
		f.Support = Unknown
		return err
	}
	return nil
}
