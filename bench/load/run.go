package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"aclgate/bench/oracle"
	"aclgate/bench/stub"
	"aclgate/bench/sys"
)

const (
	// maxAnswer bounds an answer, head and body.
	maxAnswer = 1 << 20
	// beat is how long the loop sleeps at most, so that it ends in time.
	beat = 20 * time.Millisecond
)

// run is one run under way.
type run struct {
	Options
	poller *sys.Poller
	lanes  []*laneRun
	conns  []conn
	in     []byte
	ready  func(tag int32)
	zero   time.Time // of planned times
	now    time.Duration
	err    error
	timed  bool // past the warm-up
}

// laneRun is a lane with what only the loop needs.
type laneRun struct {
	*Lane
	next    int           // the call to make next
	seen    []uint64      // by call: the sum of an answer that was ok
	idle    []int32       // connections that are free, the last used one last
	due     time.Duration // when the next call is due, open loop
	pause   time.Duration // between two calls, open loop
	slice   Slice
	latency *sliceHist
	cpu     time.Duration // at the slice's begin
	began   time.Duration
}

type conn struct {
	lane    *laneRun
	fd      int
	call    int
	busy    bool
	planned time.Duration
	sent    time.Duration
	rest    []byte // the piece of an answer that came so far
}

// Run drives the lanes until the last slice is over or ctx ends. It fails if a target cannot be
// reached.
func Run(ctx context.Context, lanes []*Lane, o Options) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sys.ExactTimers()
	poller, err := sys.NewPoller()
	if err != nil {
		return err
	}
	r := &run{Options: o, poller: poller, in: make([]byte, maxAnswer), zero: time.Now()}
	r.ready = r.receive
	defer r.close()
	for i, lane := range lanes {
		if err := r.open(lane, i, len(lanes)); err != nil {
			return err
		}
	}
	r.loop(ctx)
	if r.err == nil {
		r.err = ctx.Err()
	}
	return r.err
}

func (r *run) close() {
	for _, c := range r.conns {
		sys.Close(c.fd)
	}
	r.poller.Close()
}

// open connects lane i of n. Open loops of several lanes are due in turn, not at once.
func (r *run) open(lane *Lane, i, n int) error {
	l := &laneRun{Lane: lane, seen: make([]uint64, len(lane.Calls)), latency: new(sliceHist)}
	// Each run begins elsewhere in the plan.
	l.next = i * len(lane.Calls) / n
	if r.Rate > 0 {
		l.pause = time.Duration(float64(time.Second) / r.Rate)
		l.due = l.pause * time.Duration(i) / time.Duration(n)
	}
	r.lanes = append(r.lanes, l)
	for range r.Conns {
		fd, err := sys.Dial(lane.Addr)
		if err != nil {
			return err
		}
		tag := int32(len(r.conns))
		r.conns = append(r.conns, conn{lane: l, fd: fd})
		l.idle = append(l.idle, tag)
		if err := r.poller.Add(fd, tag); err != nil {
			return err
		}
	}
	return nil
}

// loop sends, waits and receives until the end.
func (r *run) loop(ctx context.Context) {
	r.zero = time.Now()
	ends := r.Warmup
	for slice := 0; ctx.Err() == nil && r.err == nil; {
		if r.now = time.Since(r.zero); r.now >= ends {
			r.cut(slice)
			if slice == r.Slices {
				return
			}
			slice++
			ends += r.Slice
		}
		wait := min(beat, ends-r.now)
		for _, l := range r.lanes {
			wait = min(wait, r.send(l))
		}
		if err := r.poller.Wait(wait, r.ready); err != nil {
			r.err = err
		}
	}
}

// send makes the calls of a lane that are due, as far as connections are free, and returns how long
// nothing more is to be sent.
func (r *run) send(l *laneRun) time.Duration {
	for len(l.idle) > 0 {
		if r.Rate == 0 {
			r.call(l, r.now)
			continue
		}
		if l.due > r.now {
			return l.due - r.now
		}
		r.call(l, l.due)
		l.due += l.pause
	}
	return beat
}

// call makes a lane's next call on the connection that was used last.
func (r *run) call(l *laneRun, planned time.Duration) {
	last := len(l.idle) - 1
	c := &r.conns[l.idle[last]]
	l.idle = l.idle[:last]
	c.call, c.busy, c.planned = l.next, true, planned
	if l.next++; l.next == len(l.Calls) {
		l.next = 0
	}
	c.sent = r.now
	if r.Rate > 0 {
		c.sent = time.Since(r.zero)
	}
	bytes := l.Calls[c.call].Bytes
	if n, errno := sys.Write(c.fd, bytes); errno != 0 || n < len(bytes) {
		// The other side has closed; the read fails and another connection is opened.
		return
	}
}

// receive reads from the connection of that tag.
func (r *run) receive(tag int32) {
	c := &r.conns[tag]
	have := copy(r.in, c.rest)
	n, errno := sys.Read(c.fd, r.in[have:])
	if errno == syscall.EAGAIN || errno == syscall.EINTR {
		return
	}
	if errno != 0 || n <= 0 {
		r.again(tag, "the connection ended")
		return
	}
	data := r.in[:have+n]
	m, err := parse(data)
	switch {
	case err != nil || m.length > 0 && m.length < len(data) || m.length == 0 && len(data) == maxAnswer || !c.busy:
		r.again(tag, "an answer that is none, or more than one")
	case m.length == 0:
		c.rest = append(c.rest[:0], data...)
	default:
		c.rest = c.rest[:0]
		r.answered(tag, m.status, data[m.body:])
	}
}

// answered handles one whole answer.
func (r *run) answered(tag int32, status int, body []byte) {
	c := &r.conns[tag]
	l := c.lane
	done := r.now
	if r.Rate > 0 {
		done = time.Since(r.zero)
	}
	c.busy = false
	l.idle = append(l.idle, tag)
	finding := r.judge(c, status, body, done)
	if r.timed {
		l.count(finding, status)
		l.measure(c, done, r.Rate > 0)
	}
	if finding != oracle.OK && l.Bad == "" {
		l.Bad = fmt.Sprintf("%s: %s → %d %.200s", finding, firstLine(l.Calls[c.call].Bytes), status, body)
	}
	if r.Rate == 0 {
		r.call(l, r.now)
	}
}

// judge returns what an answer is, by memory where the same bytes were right before.
func (r *run) judge(c *conn, status int, body []byte, done time.Duration) oracle.Finding {
	l := c.lane
	if l.Judge == nil {
		if status >= 200 && status < 300 {
			return oracle.OK
		}
		return oracle.Fault
	}
	sum := stub.Sum(body)*1000 + uint64(status)
	if !l.Afresh && l.seen[c.call] == sum {
		return oracle.OK
	}
	finding := l.Judge(&Answer{&l.Calls[c.call], status, body, r.zero.Add(c.sent), r.zero.Add(done)})
	if finding == oracle.OK {
		l.seen[c.call] = sum
	}
	return finding
}

// again replaces a connection. A call under way on it has failed.
func (r *run) again(tag int32, why string) {
	c := &r.conns[tag]
	l := c.lane
	sys.Close(c.fd)
	if r.timed {
		l.Counts.Reconnects++
		if c.busy {
			l.count(oracle.Fault, 0)
		}
	}
	if c.busy && l.Bad == "" {
		l.Bad = fmt.Sprintf("fault: %s: %s", firstLine(l.Calls[c.call].Bytes), why)
	}
	fd, err := sys.Dial(l.Addr)
	if err == nil {
		err = r.poller.Add(fd, tag)
	}
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("cannot reach %s any more: %w", l.Name, err))
	}
	c.fd, c.rest = fd, c.rest[:0]
	if c.busy {
		c.busy = false
		l.idle = append(l.idle, tag)
	}
}
