package index

import (
	"strconv"
	"sync"
	"time"

	"aclgate/policy"
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
// up like those that are not known, and both are remembered alike: neither the answer nor the time
// that it takes tells whether a foreign id exists.
func (x *ItemIndex) LookUp(q *Question) error {
	left := maxLookUpIDs
	for i := range q.Decision.Selectors {
		p := &q.Decision.Selectors[i]
		c := q.Input.Request.Selectors[i].Collection
		if len(p.Unknown) == 0 || c == nil {
			continue
		}
		ids := x.lookUps.unseen(c, p.Unknown, left)
		if len(ids) == 0 || !x.lookUps.allow(q.Input.Token.ID) {
			continue
		}
		target, n := x.lookUpTarget(c, ids)
		left -= n
		if err := x.lookUp(q, c, target, ids[:n]); err != nil {
			return err
		}
		x.lookUps.add(c, ids[:n])
	}
	if q.Input.Items != nil {
		q.Input.Items = x.View(q.Input.Tree)
	}
	return nil
}

// lookUp asks for some ids of a collection. A refusal means that none of them is there, but for
// those that it names all the same.
func (x *ItemIndex) lookUp(q *Question, c *policy.Collection, target []byte, ids []int64) error {
	seq := x.mark()
	list := listing.Query{Target: target, CallersKey: q.CallersKey, Columns: listing.ItemColumns, Confirm: q.Confirm, Holder: q.holder().ForLookUp(),
		Deadline: time.Now().Add(lookUpFor)}
	if x.opt.Mode.Header() {
		q.Input.Tree.Ancestors(q.Input.Scope, func(cid int64) { list.CID = cid })
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
	err := x.lister.Page(q.Answer, &list, 0, func(r *listing.Row) bool { each(r); return true })
	var refused *listing.AnswerError
	if isRefusal(err, &refused) {
		refused.Rows(list.Columns, each)
		err = nil
	}
	if err != nil {
		return err
	}
	x.found(c, rows, seq)
	return nil
}

// lookUpTarget prints the question for as many of the ids as fit a target, and returns how many
// these are.
func (x *ItemIndex) lookUpTarget(c *policy.Collection, ids []int64) (target []byte, n int) {
	const fields = "?fields=id%2Ccid"
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
	collection int
	id         int64
}

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
func (m *lookupCache) unseen(c *policy.Collection, ids []int64, n int) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var unseen []int64
	for _, id := range ids {
		if len(unseen) == n {
			break
		}
		if !m.knows(itemID{c.Index, id}) {
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
func (m *lookupCache) add(c *policy.Collection, ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recent)+len(ids) > maxRecent {
		m.before, m.recent = m.recent, map[itemID]time.Time{}
	}
	now := time.Now()
	for _, id := range ids {
		m.recent[itemID{c.Index, id}] = now
	}
}

// forget makes ids worth looking up again.
func (m *lookupCache) forget(c *policy.Collection, ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.recent, itemID{c.Index, id})
		delete(m.before, itemID{c.Index, id})
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
