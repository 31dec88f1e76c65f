package proxy

import (
	"runtime/debug"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// call is the part of an exchange that every phase uses.
type call struct {
	conn   *head.Conn
	head   *head.Head
	began  time.Time
	waited stopwatch // for the backend
	rec    record.Record
	auth   auth
	reason policy.Reason // why the line ended
	// answered says that a step has written the answer, whatever the reason says of one.
	answered bool
	refusal  refusal
	dropped  []byte      // names of the query that were left out; nil: none
	memory   reservation // what the request holds of the budget
}

// refusal completes a reason for the client.
type refusal struct {
	public string // fixed text; "": that of the reason
	status int    // 0: that of the reason
	retry  int    // seconds of Retry-After; 0: that of the reason
	offset int    // of a fault in the body; 0: not known
}

// refuse ends a step with a fixed text for the client.
func (c *call) refuse(r policy.Reason, public string) policy.Reason {
	c.refusal.public = public
	return r
}

func (c *call) id() string { return string(c.rec.AppendID(nil)) }

func stack() string { return string(debug.Stack()) }

// askedCID returns the account that x-flespi-cid or cid names, 0 for neither.
func (c *call) askedCID(req *policy.Request) int64 {
	if c.head.CID == nil {
		return req.CID
	}
	asked, _ := policy.ParseID(c.head.CID) // proxy/head has checked it
	return asked
}

// maxHeld is the most of an answer that is held at once: what is not longer is answered whole,
// the rest streams (SPEC 5).
const maxHeld = 64 << 10

// maxKept bounds the buffers that a pooled exchange keeps.
const maxKept = 64 << 10

// kept returns an empty buffer with the memory of b, unless that is a giant's.
func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

// stopwatch adds up how long something took.
type stopwatch struct {
	total time.Duration
	began time.Time
}

func (s *stopwatch) start() { s.began = time.Now() }

func (s *stopwatch) stop() { s.total += time.Since(s.began) }

// read reads an answer and counts the time that it took.
func (s *stopwatch) read(a *upstream.Answer, p []byte) (int, error) {
	s.start()
	defer s.stop()
	return a.Read(p)
}

// limitClock is the time from which the clock of the limits counts.
type limitClock time.Time

func (c limitClock) at(t time.Time) int64 { return int64(t.Sub(time.Time(c))) }
