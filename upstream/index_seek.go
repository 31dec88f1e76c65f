package upstream

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"time"

	"aclgate/policy"
)

// Bounds of look-ups (SPEC 4.4): who asks for ids that he guesses must not be able to turn
// the gateway against the backend.
const (
	seekIDs    = 100 // of one request
	seekRate   = 10  // look-ups per second and token, and as many at once
	seekTokens = 4096
	seekRecent = 1 << 15 // ids remembered, twice
)

// Seek looks up together the ids of a request that the index does not place in the scope,
// and gives the request a view that knows what was found. Ids that are known to be foreign
// are looked up like those that are not known, and both are remembered alike: neither the
// answer nor the time that it takes tells whether a foreign id exists.
func (x *Index) Seek(q *Ask) error {
	left := seekIDs
	for i := range q.Decision.Selectors {
		p := &q.Decision.Selectors[i]
		c := q.Input.Request.Selectors[i].Collection
		if len(p.Unknown) == 0 || c == nil {
			continue
		}
		ids := x.seeks.fresh(c, p.Unknown, left)
		if len(ids) == 0 || !x.seeks.allow(q.Input.Token.ID) {
			continue
		}
		target, n := x.seekTarget(c, ids)
		left -= n
		if err := x.lookUp(q, c, target, ids[:n]); err != nil {
			return err
		}
		x.seeks.remember(c, ids[:n])
	}
	if q.Input.Items != nil {
		q.Input.Items = x.View(q.Input.Tree)
	}
	return nil
}

// lookUp asks for some ids of a collection. A refusal means that none of them is there, but
// for those that it names all the same.
func (x *Index) lookUp(q *Ask, c *policy.Collection, target []byte, ids []int64) error {
	seq := x.mark()
	list := listing{target: target, caller: q.CallersKey, columns: Columns{Names: []string{"id", "cid"}, Required: 1}}
	if x.opt.Mode.Header() {
		q.Input.Tree.Ancestors(q.Input.Scope, func(cid int64) { list.cid = cid })
	}
	asked := make(map[int64]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	var rows []change
	each := func(r *Row) bool {
		if asked[r.ID[0]] {
			rows = append(rows, change{id: r.ID[0], cid: r.ID[1]})
		}
		return true
	}
	_, err := x.page(q.Answer, &list, 0, 0, each)
	var refused *AnswerError
	if errors.As(err, &refused) && refused.Status != 429 && refused.Status != 401 {
		refused.rows(list.columns, each)
		err = nil
	}
	if err != nil {
		return err
	}
	x.found(c, rows, seq)
	return nil
}

// rows reads what a refusal names all the same; one that is no listing names nothing.
func (e *AnswerError) rows(c Columns, each func(*Row) bool) {
	r := rowReaders.Get().(*Rows)
	defer r.release()
	r.Reset(bytes.NewReader(e.Body), c)
	var rows []Row
	for r.Next() {
		rows = append(rows, *r.Row())
	}
	if r.Err() != nil {
		return
	}
	for i := range rows {
		each(&rows[i])
	}
}

// seekTarget prints the question for as many of the ids as fit a target, and returns how
// many these are.
func (x *Index) seekTarget(c *policy.Collection, ids []int64) (target []byte, n int) {
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

// seekMemory remembers what was looked up lately, and by whom how often. It is asked only
// for ids that are about to be denied.
type seekMemory struct {
	mu      sync.Mutex
	keep    time.Duration
	recent  map[seekID]time.Time // when it was looked up
	before  map[seekID]time.Time // what recent was until it was full
	buckets map[int64]*seekBucket
}

type seekID struct {
	collection int
	id         int64
}

// seekBucket holds the look-ups that a token has left at a time.
type seekBucket struct {
	left float64
	at   time.Time
}

func (m *seekMemory) begin(keep time.Duration) {
	m.keep = keep
	m.recent, m.before = map[seekID]time.Time{}, map[seekID]time.Time{}
	m.buckets = map[int64]*seekBucket{}
}

// fresh returns at most n of the ids, those that were not looked up lately.
func (m *seekMemory) fresh(c *policy.Collection, ids []int64, n int) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var fresh []int64
	for _, id := range ids {
		if len(fresh) == n {
			break
		}
		if !m.knows(seekID{c.Index, id}) {
			fresh = append(fresh, id)
		}
	}
	return fresh
}

func (m *seekMemory) knows(id seekID) bool {
	at, known := m.recent[id]
	if !known {
		at, known = m.before[id]
	}
	return known && time.Since(at) < m.keep
}

// remember notes ids as looked up. The older half is forgotten when there are too many.
func (m *seekMemory) remember(c *policy.Collection, ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recent)+len(ids) > seekRecent {
		m.before, m.recent = m.recent, map[seekID]time.Time{}
	}
	now := time.Now()
	for _, id := range ids {
		m.recent[seekID{c.Index, id}] = now
	}
}

// forget makes ids worth looking up again.
func (m *seekMemory) forget(c *policy.Collection, ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.recent, seekID{c.Index, id})
		delete(m.before, seekID{c.Index, id})
	}
}

// allow takes one look-up of a token, and reports whether it had one left.
func (m *seekMemory) allow(token int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	b := m.buckets[token]
	if b == nil {
		if len(m.buckets) >= seekTokens {
			m.forgetIdle(now)
		}
		b = &seekBucket{left: seekRate, at: now}
		m.buckets[token] = b
	}
	b.left = min(seekRate, b.left+seekRate*now.Sub(b.at).Seconds())
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// forgetIdle drops the tokens that have all their look-ups again: a new bucket says the same.
func (m *seekMemory) forgetIdle(now time.Time) {
	for token, b := range m.buckets {
		if now.Sub(b.at) > time.Second {
			delete(m.buckets, token)
		}
	}
}
