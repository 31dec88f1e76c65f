package proxy

import (
	"net/netip"
	"runtime/debug"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
	"aclgate/upstream"
)

// call is one request on its way. Calls are used again; begin and reset leave
// nothing of one caller for the next.
type call struct {
	gateway *Gateway
	desk    *desk
	visit

	req      policy.Request
	dec      policy.Decision
	resolved policy.Resolved
	limits   limit.Hold // what the request takes of its bounds
	text     []byte     // the body of the request
	ans      *upstream.Answer
	cancel   func() // ans.Cancel, bound once: binding allocates
	target   []byte
	fields   []byte
	merge    []byte // scratch for what the gateway writes itself
	errs     []byte // errors of denied items, until they are merged
	stream   answerStream
	side     *second // kept for reuse; nil: never judged twice
}

// visit is what is forgotten with its request.
type visit struct {
	conn *head.Conn
	head *head.Head

	method policy.Method
	tok    *policy.Token
	in     policy.Input
	source netip.Addr
	key    []byte // the caller's key, aliasing the head
	reason policy.Reason
	public string // completes a refusal for the client; fixed text
	status int    // of a refusal, 0: that of the reason
	retry  int    // seconds of Retry-After, 0: the default of the reason
	offset int    // of a fault in the body, 0: not known

	account  int64 // that a body gives all its items; 0: none, -1: not one
	bare     int64 // objects of a creation that name no account
	large    int64 // bytes that the request takes of the budget
	upload   bool  // the body streams
	uploaded int64 // bytes of it so far
	out      upstream.Request
	sent     []byte // the target, once it was forwarded
	held     bool   // merge holds the answer, as far as heldErr says
	heldErr  error  // io.EOF: all of it; nil: its beginning
	changed  bool   // errors were merged: the answer is not what its labels say
	named    []byte // denied ids, for x-aclgate-denied; nil: none
	split    *split // nil unless the list of ids is too long for one request

	began     time.Time
	waited    time.Duration // for the backend
	streaming bool
	rec       record.Record
}

// maxKept bounds the buffers that a pooled call keeps.
const maxKept = 64 << 10

func (c *call) begin(d *desk, conn *head.Conn) {
	c.desk, c.conn, c.head = d, conn, conn.Head()
	c.began = time.Now()
	c.rec.Start, c.rec.ID = c.began, record.NewID()
}

// end completes the record with what is only known at the end.
func (c *call) end() {
	c.rec.Upstream = c.waited
	c.rec.Total = time.Since(c.began)
	c.rec.Own = c.rec.Total - c.waited
	c.rec.BytesIn = int64(len(c.text)) + c.uploaded
	if c.rec.BytesOut == 0 && !c.desk.own.IsBodyStream() {
		c.rec.BytesOut = int64(len(c.desk.own.Body()))
	}
	switch c.reason {
	case policy.BodyAccount:
		c.rec.BodyCID = c.dec.Element.CID
	case policy.BodyItem:
		c.rec.BodyID = c.dec.Element.ID
	}
	if c.reason != policy.ClientGone {
		c.rec.Status = c.desk.own.StatusCode()
	}
}

func (c *call) reset() {
	c.conn.OnGone(nil)
	c.ans.Reset() // forgets a Cancel: it was meant for this request alone
	// What was wrong with this request is not to be shown to the next caller.
	c.req.Detail, c.req.Arg = "", nil
	c.visit = visit{}
	c.resolved = policy.Resolved{Matches: c.resolved.Matches[:0]}
	c.text, c.target, c.fields = kept(c.text), kept(c.target), kept(c.fields)
	c.merge, c.errs = kept(c.merge), kept(c.errs)
	c.stream = answerStream{splicer: c.stream.splicer, raw: c.stream.raw}
}

func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

// ends notes the reason of a step and reports whether the line ends with it.
func (c *call) ends(r policy.Reason) bool {
	c.reason = r
	return r != policy.NotJudged
}

// refusal ends a step with a fixed text for the client.
func (c *call) refusal(r policy.Reason, public string) policy.Reason {
	c.public = public
	return r
}

func (c *call) id() string { return string(c.rec.AppendID(nil)) }

func stack() string { return string(debug.Stack()) }
