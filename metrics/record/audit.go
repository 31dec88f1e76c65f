package record

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"aclgate/policy"
)

// AuditOptions say what an Audit writes and where.
type AuditOptions struct {
	Path        string
	AllowSample float64 // share of the requests that nothing was denied of, 0 to 1
	MaxSize     int64   // bytes at which a new file is begun
	Keep        int     // older files that stay, as Path.1 (the youngest), Path.2 …
	Queue       int     // records that may wait to be written; 0: 4096
	Log         *slog.Logger
}

// Audit writes what was decided to a file, one JSON object a line: every denial, every change by an
// operator, and a share of the rest. Add and Change never wait: what finds the queue full is
// dropped and counted, since a full disk must not stall a request. One goroutine, Run, does the
// writing.
//
// A nil *Audit keeps nothing.
type Audit struct {
	opts   AuditOptions
	sample uint64 // of 2^32 requests
	queue  chan Record
	topics chan Topic
	lines  chan []byte // changes by operators
	reopen chan struct{}
	file   *auditFile

	written, dropped, failed atomic.Uint64
	failing                  atomic.Bool
	running                  atomic.Bool // Run has begun: the file is its own
}

// AuditStats is what an Audit counts: lines written, dropped because the queue was full, and lost
// because they could not be written.
type AuditStats struct {
	Written, Dropped, Failed uint64
	Failing                  bool // the last attempt to write failed
}

const (
	auditQueue  = 4096
	auditLines  = 1024
	auditAtOnce = 64 << 10       // bytes that one write takes at most
	auditEnd    = 3 * auditStall // for the write that is under way, the last one, and some more
)

// OpenAudit opens the file, to append to it. Nothing is written before Run. A named pipe that nobody
// reads yet is no error: it is tried again with every write.
func OpenAudit(o AuditOptions) (*Audit, error) {
	if o.Queue == 0 {
		o.Queue = auditQueue
	}
	file := &auditFile{path: o.Path, maxSize: o.MaxSize, keep: o.Keep}
	if err := file.open(); err != nil && !noReader(err) {
		return nil, err
	}
	return &Audit{
		opts: o, sample: uint64(o.AllowSample * (math.MaxUint32 + 1)), file: file,
		queue: make(chan Record, o.Queue), topics: make(chan Topic, o.Queue), lines: make(chan []byte, auditLines), reopen: make(chan struct{}, 1),
	}, nil
}

// Add notes a finished request, if it is one to be kept. It neither waits nor allocates, and keeps
// nothing of r.
func (a *Audit) Add(r *Record) {
	if a == nil || !a.keeps(r) {
		return
	}
	select {
	case a.queue <- *r:
	default:
		a.dropped.Add(1)
	}
}

// AddTopic notes what an MQTT session did. It neither waits nor allocates.
func (a *Audit) AddTopic(t *Topic) {
	if a == nil {
		return
	}
	select {
	case a.topics <- *t:
	default:
		a.dropped.Add(1)
	}
}

// keeps reports whether a request is written: any of which something was denied or would have been,
// and of the others the share that the settings say. The id is random, so it serves as the dice.
func (a *Audit) keeps(r *Record) bool {
	if r.Enforced() == policy.Deny || r.Denied > 0 || r.DryRun.Denies() || r.Shadow.Known {
		return true
	}
	dice := uint64(r.ID[0]) | uint64(r.ID[1])<<8 | uint64(r.ID[2])<<16 | uint64(r.ID[3])<<24
	return dice < a.sample
}

// Change is something that an operator did, or that happened to what he did.
type Change struct {
	Time     time.Time `json:"time"`
	Event    string    `json:"event"` // start, stop, reload
	Result   string    `json:"result,omitempty"`
	Revision uint64    `json:"revision,omitempty"` // of the policy in force afterwards
	Faults   string    `json:"faults,omitempty"`   // why it was refused
}

// Change notes a change. It does not wait.
func (a *Audit) Change(c Change) {
	if a == nil {
		return
	}
	c.Time = c.Time.UTC()
	a.line(c)
}

// StoreChange is a change of records in a database that is obeyed from now on, or several of one
// table by one actor. What they were before and are after is in the database's history.
type StoreChange struct {
	Time     time.Time `json:"time"`           // when it was made, by the database's clock
	Event    string    `json:"event"`          // change
	From     int64     `json:"from,omitempty"` // the first revision, if there are several
	Revision int64     `json:"revision"`       // the last one
	Actor    string    `json:"actor"`          // the id of a token, operator, or db
	Table    string    `json:"table"`
	IDs      []int64   `json:"ids"`             // of the first ones
	Gone     []int64   `json:"gone"`            // those that are not there any more, of the first ones
	Count    int       `json:"count,omitempty"` // how many there are, if not all are named
	How      string    `json:"how,omitempty"`   // the account of the token, the acting one, the decision and the address, as far as known
}

// StoreChange notes a change of records. It does not wait.
func (a *Audit) StoreChange(c StoreChange) {
	if a == nil {
		return
	}
	c.Time, c.Event = c.Time.UTC(), "change"
	a.line(c)
}

// line notes one that is no request.
func (a *Audit) line(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		a.failed.Add(1)
		return
	}
	select {
	case a.lines <- line:
	default:
		a.dropped.Add(1)
	}
}

// Reopen has the file closed and opened again by its name, which is what whoever moves it away
// (logrotate) asks for. It does not wait.
func (a *Audit) Reopen() {
	if a == nil {
		return
	}
	select {
	case a.reopen <- struct{}{}:
	default: // one is under way
	}
}

// Stats returns what was counted; without an audit log that is nothing.
func (a *Audit) Stats() AuditStats {
	if a == nil {
		return AuditStats{}
	}
	return AuditStats{a.written.Load(), a.dropped.Load(), a.failed.Load(), a.failing.Load()}
}

// Close closes the file of an Audit whose Run never began.
func (a *Audit) Close() {
	if a != nil && !a.running.Load() {
		a.file.close()
	}
}

// Run writes until ctx ends, then what still waits, and closes the file. What stands in a write that
// does not end is left behind: the end does not wait for it.
func (a *Audit) Run(ctx context.Context) {
	a.running.Store(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer a.file.close()
		a.run(ctx)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(auditEnd)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		lost := a.waiting()
		a.dropped.Add(uint64(lost))
		a.opts.Log.Error("the audit log takes nothing: what waited is lost", "lost", lost)
	}
}

func (a *Audit) run(ctx context.Context) {
	buf := make([]byte, 0, auditAtOnce)
	for ctx.Err() == nil {
		select {
		case r := <-a.queue:
			buf = append(r.AppendJSON(buf[:0]), '\n')
		case t := <-a.topics:
			buf = append(t.AppendJSON(buf[:0]), '\n')
		case line := <-a.lines:
			buf = append(append(buf[:0], line...), '\n')
		case <-a.reopen:
			a.tell(a.file.reopen())
			continue
		case <-ctx.Done():
			continue
		}
		a.write(a.gather(buf))
	}
	a.drain(buf)
}

// waiting returns how many lines wait to be written.
func (a *Audit) waiting() int { return len(a.queue) + len(a.topics) + len(a.lines) }

// gather appends what waits, up to one write's worth.
func (a *Audit) gather(buf []byte) []byte {
	for len(buf) < auditAtOnce-2048 {
		select {
		case r := <-a.queue:
			buf = append(r.AppendJSON(buf), '\n')
		case t := <-a.topics:
			buf = append(t.AppendJSON(buf), '\n')
		case line := <-a.lines:
			buf = append(append(buf, line...), '\n')
		default:
			return buf
		}
	}
	return buf
}

// drain writes what waits, up to the first write that fails: each could take its time to do so.
func (a *Audit) drain(buf []byte) {
	for {
		if buf = a.gather(buf[:0]); len(buf) == 0 {
			return
		}
		if !a.write(buf) {
			a.failed.Add(uint64(a.waiting()))
			return
		}
	}
}

// write writes whole lines and reports whether all of them arrived.
func (a *Audit) write(buf []byte) bool {
	written, lost, err := a.file.write(buf)
	a.written.Add(uint64(written))
	a.failed.Add(uint64(lost))
	a.tell(err)
	return lost == 0
}

// tell raises the alarm when writing begins to fail, and ends it.
func (a *Audit) tell(err error) {
	was := a.failing.Swap(err != nil)
	switch {
	case err != nil && !was:
		a.opts.Log.Error("the audit log cannot be written: records are lost", "error", err)
	case err == nil && was:
		a.opts.Log.Info("the audit log is written again", "lost", a.failed.Load())
	}
}
