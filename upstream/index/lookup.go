package index

import (
	"context"
	"strconv"
	"sync"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

// Bounds of look-ups (SPEC 4.4): a caller who guesses ids must not be able to make the gateway
// flood the backend.
const (
	maxLookUpIDs    = 100 // of one request
	lookUpRate      = 10  // look-ups per second and token, and as many at once
	maxLookUpTokens = 4096
	lookUpFor       = 30 * time.Second // one look-up; an answer may never end
	maxRecent       = 1 << 15          // ids remembered, twice
)

// LookUp asks the backend for all ids of a request that the index does not find in its scope, and
// gives the request a view that knows what was found. Ids that are known to be foreign are looked
// up like those that are not known, and both are remembered alike, for each token on its own:
// neither the answer nor the time that it takes tells whether a foreign id exists, or who else asked
// for it.
//
// Items in doubt are asked for whoever names them, all of them: each is asked for once.
func (x *ItemIndex) LookUp(q *Question) error {
	left := maxLookUpIDs
	for i := range q.Decision.Selectors {
		p := &q.Decision.Selectors[i]
		c := q.Input.Request.Selectors[i].Collection
		if len(p.Unknown) == 0 || c == nil {
			continue
		}
		open, unknown := x.split(q.Input, c, p.Unknown)
		if err := x.lookUpAll(q, c, open); err != nil {
			return err
		}
		by := asker{q.Input.Token.ID, q.Input.Scope}
		ids := x.lookUps.unseen(by, c, unknown, left)
		if len(ids) == 0 || !x.lookUps.allow(by.token) {
			continue
		}
		n, err := x.lookUp(q, c, ids, false)
		if err != nil {
			return err
		}
		left -= n
		x.lookUps.add(by, c, x.outside(q, i, ids[:n]))
	}
	if q.Input.Items != nil {
		q.Input.Items = x.View(q.Input.Tree)
	}
	return nil
}

// outside returns those of ids that a look-up has not shown to be in the scope of a request. Only
// these are remembered: what is in the scope is asked for again where it is lost.
func (x *ItemIndex) outside(q *Question, selector int, ids []int64) (out []int64) {
	in := *q.Input
	in.Items = x.View(in.Tree)
	for _, id := range ids {
		if _, ok := q.Decision.Admits(&in, selector, id); !ok {
			out = append(out, id)
		}
	}
	return out
}

// split tells the ids that are in doubt from the others. A look-up is made under the root of the
// scope: what the branch of another root may have it does not show.
func (x *ItemIndex) split(in *policy.Input, c *policy.Collection, ids []int64) (open, others []int64) {
	s := x.state.Load().overlays[c.Index]
	if s == nil || len(s.doubts) == 0 {
		return nil, ids
	}
	root := rootOf(in)
	for _, id := range ids {
		if d := s.inDoubt(id); d != nil && d.concerns(in.Tree, root) {
			open = append(open, id)
		} else {
			others = append(others, id)
		}
	}
	return open, others
}

// rootOf returns the root account above the scope of a request.
func rootOf(in *policy.Input) (root int64) {
	in.Tree.Ancestors(in.Scope, func(cid int64) { root = cid })
	return root
}

// Settle reads the items of c in doubt again, for a request that has left them so. An error leaves
// the rest in doubt.
func (x *ItemIndex) Settle(ctx context.Context, c *policy.Collection, in *policy.Input) error {
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return nil
	}
	q := Question{Input: &policy.Input{Token: in.Token, Tree: in.Tree, Scope: in.Scope}, Answer: new(upstream.Answer)}
	defer context.AfterFunc(ctx, q.Answer.Cancel)()
	return x.lookUpAll(&q, c, s.doubtful(in.Tree, in.Scope))
}

// lookUpAll asks for ids in doubt.
func (x *ItemIndex) lookUpAll(q *Question, c *policy.Collection, ids []int64) error {
	for len(ids) > 0 {
		n, err := x.lookUp(q, c, ids, true)
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// lookUp asks for the first of some ids of a collection, as many as fit a target, and returns how
// many these are. A refusal means that none of them is there, but for those that it names all the
// same. Those that were in doubt are gone then.
func (x *ItemIndex) lookUp(q *Question, c *policy.Collection, ids []int64, inDoubt bool) (n int, err error) {
	seq := x.mark()
	columns, fields := listing.ItemColumns, "?fields=id%2Ccid"
	if x.opt.Owners != nil {
		columns, fields = listing.IDColumns, "?fields=id"
	}
	target, n := x.lookUpTarget(c, ids, fields)
	ids = ids[:n]
	list := listing.Query{Target: target, CallersKey: q.CallersKey, Columns: columns, Confirm: q.Confirm, Holder: q.holder().ForLookUp(),
		Deadline: time.Now().Add(lookUpFor)}
	if x.opt.Mode.Header() {
		list.CID = rootOf(q.Input)
	}
	asked := make(map[int64]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	var rows []change
	each := func(r *listing.Row) {
		if asked[r.ID[0]] {
			rows = append(rows, change{id: r.ID[0], cid: r.ID[1]})
		}
	}
	err = x.lister.Page(q.Answer, &list, 0, func(r *listing.Row) bool { each(r); return true })
	var refused *listing.AnswerError
	if isRefusal(err, &refused) {
		refused.Rows(list.Columns, each)
		err = nil
	}
	if err != nil {
		return 0, err
	}
	if !inDoubt {
		ids = nil
	}
	x.found(c, ids, rows, seq)
	return n, nil
}

// lookUpTarget prints the question for as many of the ids as fit a target, and returns how many
// these are.
func (x *ItemIndex) lookUpTarget(c *policy.Collection, ids []int64, fields string) (target []byte, n int) {
	target = append([]byte{'/'}, c.URI...)
	for sep := byte('/'); n < len(ids); sep = ',' {
		longer := strconv.AppendInt(append(target, sep), ids[n], 10)
		if n > 0 && x.opt.MaxTarget > 0 && len(longer)+len(fields) > x.opt.MaxTarget {
			break
		}
		target, n = longer, n+1
	}
	return append(target, fields...), n
}

// lookupCache remembers what was looked up lately, and by whom how often. It is asked only for ids
// that are about to be denied.
type lookupCache struct {
	mu      sync.Mutex
	keep    time.Duration
	recent  map[itemID]time.Time // when it was looked up
	before  map[itemID]time.Time // what recent was until it was full
	buckets map[int64]*tokenBucket
}

type itemID struct {
	asker
	collection int
	id         int64
}

// asker is who asked: a token, in a scope.
type asker struct{ token, scope int64 }

// tokenBucket holds the look-ups that a token has left at a time.
type tokenBucket struct {
	left float64
	at   time.Time
}

func newLookupCache(keep time.Duration) *lookupCache {
	return &lookupCache{
		keep: keep, recent: map[itemID]time.Time{}, before: map[itemID]time.Time{}, buckets: map[int64]*tokenBucket{},
	}
}

// unseen returns at most n of the ids, those that were not looked up lately.
func (m *lookupCache) unseen(by asker, c *policy.Collection, ids []int64, n int) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var unseen []int64
	for _, id := range ids {
		if len(unseen) == n {
			break
		}
		if !m.knows(itemID{by, c.Index, id}) {
			unseen = append(unseen, id)
		}
	}
	return unseen
}

func (m *lookupCache) knows(id itemID) bool {
	at, known := m.recent[id]
	if !known {
		at, known = m.before[id]
	}
	return known && time.Since(at) < m.keep
}

// add notes ids as looked up. The older half is forgotten when there are too many.
func (m *lookupCache) add(by asker, c *policy.Collection, ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recent)+len(ids) > maxRecent {
		m.before, m.recent = m.recent, map[itemID]time.Time{}
	}
	now := time.Now()
	for _, id := range ids {
		m.recent[itemID{by, c.Index, id}] = now
	}
}

// allow takes one look-up of a token, and reports whether it had one left.
func (m *lookupCache) allow(token int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	b := m.buckets[token]
	if b == nil {
		if len(m.buckets) >= maxLookUpTokens {
			m.forgetIdle(now)
		}
		b = &tokenBucket{left: lookUpRate, at: now}
		m.buckets[token] = b
	}
	b.left = min(lookUpRate, b.left+lookUpRate*now.Sub(b.at).Seconds())
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// forgetIdle drops the tokens that have all their look-ups again: a new bucket says the same.
func (m *lookupCache) forgetIdle(now time.Time) {
	for token, b := range m.buckets {
		if now.Sub(b.at) > time.Second {
			delete(m.buckets, token)
		}
	}
}
