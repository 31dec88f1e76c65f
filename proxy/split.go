package proxy

import (
	"io"
	"slices"
	"strconv"
	"sync"

	"aclgate/policy"
	"aclgate/proxy/join"
	"aclgate/upstream"
)

const (
	// partsAtOnce is how many parts of a long list are under way at a time.
	partsAtOnce = 4
	// giveUpAfter is how many parts in a row may fail by the backend's fault.
	// Whoever has lost as many is down, and would be waited for many times.
	giveUpAfter = 4
)

// shorten finds another way to ask for permitted ids that do not fit one target
// (SPEC 4.5): as "all" where that says the same, as one page, or in parts. What
// it cannot shorten it refuses: never are fewer items asked for than permitted.
// Request and decision stay as they were judged; what is printed is a copy.
func (g *Gateway) shorten(c *call) policy.Reason {
	w := &wording{req: c.req, dec: policy.Decision{Selectors: slices.Clone(c.dec.Selectors)}}
	w.req.Query = slices.Clone(c.req.Query)
	w.dec.UseAll(g.engine.Mode)
	if c.target = w.append(c.target[:0]); len(c.target) <= g.MaxURL {
		return policy.NotJudged
	}
	ids := w.dec.FanOutIDs(&w.req)
	if ids == nil {
		return policy.ListTooLong
	}
	ids = w.req.Page(ascending(ids))
	if len(ids) == 0 {
		return policy.NothingLeft
	}
	w.dec.SetIDs(ids[:0])
	room := g.MaxURL - len(w.append(nil))
	w.dec.SetIDs(ids)
	c.target = w.append(c.target[:0])
	switch {
	case len(c.target) <= g.MaxURL:
		return policy.NotJudged
	case room < digits(ids[len(ids)-1]): // the query alone is too long
		return policy.ListTooLong
	}
	c.split = newSplit(c, w, ids, room)
	return policy.NotJudged
}

// wording is a request as it is printed anew.
type wording struct {
	req policy.Request
	dec policy.Decision
}

func (w *wording) append(dst []byte) []byte { return policy.AppendTarget(dst, &w.req, &w.dec) }

// ascending returns ids in ascending order, which is that of the pages and of
// the rows.
func ascending(ids []int64) []int64 {
	if slices.IsSorted(ids) {
		return ids
	}
	return slices.Sorted(slices.Values(ids))
}

func digits(id int64) int {
	var room [20]byte
	return len(strconv.AppendInt(room[:0], id, 10))
}

// split is one request that the backend is asked in parts. The goroutine that
// serves the client reads them, one after the other; those that come next are
// asked meanwhile, by a goroutine each, and wait unread in their sockets. So a
// split holds one piece of an answer, one row, the errors of all parts, and a
// few KiB for each part under way, however many ids there are.
type split struct {
	call    *call
	wording *wording
	ids     []int64 // all of them, ascending
	from    int     // those not asked for yet
	room    int     // bytes of a target that ids may take

	parts   [partsAtOnce]part // a ring
	asked   int               // parts that were asked for, ever
	done    int               // parts that are read, ever
	width   int               // parts that may be under way
	served  int               // parts that gave something
	failing int               // parts lost in a row
	first   failure           // of a part

	joiner join.Joiner
	raw    []byte
	sent   []byte // for call.sent
	work   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
}

// part is one request to the backend.
type part struct {
	from, to int // its ids
	target   []byte
	out      upstream.Request
	ans      upstream.Answer
	err      error
	ready    chan struct{} // gets one value when ans and err are there
	begun    bool          // that value was taken
}

// failure is how a part failed: a reason, or what the backend answered.
type failure struct {
	reason policy.Reason
	status int
	kind   []byte // the content type
	body   []byte
}

func newSplit(c *call, w *wording, ids []int64, room int) *split {
	s := &split{call: c, wording: w, ids: ids, room: room, width: partsAtOnce, raw: make([]byte, maxHeld/2)}
	s.joiner.Reset()
	for i := range s.parts {
		s.parts[i].ready = make(chan struct{}, 1)
	}
	return s
}

// forwardParts asks for the first parts and waits until there is something for
// the client: only then the status is known.
func (g *Gateway) forwardParts(c *call) policy.Reason {
	s := c.split
	c.conn.OnGone(s.stop)
	out, err := s.more(c.merge[:0])
	c.merge = out
	c.stream.out, c.stream.done = out, err == io.EOF
	switch {
	case err != nil && err != io.EOF:
		return g.failed(c, err)
	case c.stream.done && s.served == 0:
		return s.first.reason
	}
	return policy.NotJudged
}

// deliverParts answers with what the parts gave. It is never stored anywhere,
// because a part may be missing. If no part gave anything the first of them
// speaks for all.
func (g *Gateway) deliverParts(c *call) policy.Reason {
	s := c.split
	if c.stream.done && s.served == 0 {
		if c.rec.Denied > 0 {
			g.nameDenied(c)
		}
		g.answerBytes(c, s.first.status, s.first.body)
		if len(s.first.kind) > 0 {
			c.desk.own.Header.SetContentTypeBytes(s.first.kind)
		}
		return policy.NotJudged
	}
	g.ownHeaders(c, 200)
	return g.streamRest(c, -1)
}

// joinMore reads the next piece of the joined answer.
func (s *answerStream) joinMore() {
	c := s.call
	out, err := c.split.more(c.merge[:0])
	c.merge, s.out = out, out
	if err == io.EOF {
		s.done = true
	} else {
		s.err = err
	}
}

// stop ends the work for a client that is gone. It may be called at any time,
// from anywhere, and does not block.
func (s *split) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for i := range s.parts {
		s.parts[i].ans.Cancel()
	}
}

// close stops what is under way, waits for it, and gives its connections back.
func (s *split) close() {
	if s == nil {
		return
	}
	s.stop()
	s.work.Wait()
	for i := range s.parts {
		s.parts[i].ans.Close()
	}
}
