package proxy

import (
	"sync"

	"aclgate/policy"
	"aclgate/proxy/join"
	"aclgate/upstream"
)

const (
	// shardsAtOnce is how many shards of a fan-out are under way at a time.
	shardsAtOnce = 4
	// giveUpAfter is how many shards in a row may fail by the backend's fault. Whoever has lost as
	// many is down, and would be waited for many times.
	giveUpAfter = 4
	// maxMoved is how many times in a row a shard is asked for anew because what its decision rests
	// on moved while it waited for a connection.
	maxMoved = 8
)

// fanOut is one request that the backend is asked in shards (SPEC 4.5). The goroutine that serves
// the client reads them, one after the other; those that come next are asked meanwhile, by a
// goroutine each, and wait unread in their sockets. So a fan-out holds one piece of an answer, one
// row, the errors of all shards, and a few KiB for each shard under way, however many ids there
// are.
type fanOut struct {
	call    *call
	eval    *evaluation
	out     *outgoing
	backend Backend
	faults  *faults

	confirmer *confirmer

	printed *printed
	ids     []int64 // all of them, ascending; where apart, those below one root together
	from    int     // those not asked for yet
	room    int     // bytes of a target that ids may take
	apart   bool    // each shard goes out under an account of its own (SPEC 11)

	shards  [shardsAtOnce]shard // a ring
	asked   int                 // shards that were asked for, ever
	done    int                 // shards that are read, ever
	width   int                 // shards that may be under way
	served  int                 // shards that gave something
	failing int                 // shards lost in a row
	moved   int                 // shards withdrawn in a row
	first   failure             // of a shard

	joiner join.Joiner
	raw    []byte
	sent   []byte // for outgoing.sent
	work   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
}

// printed is a request as it is printed anew.
type printed struct {
	req policy.Request
	dec policy.Decision
}

func (p *printed) append(dst []byte) []byte { return policy.AppendTarget(dst, &p.req, &p.dec) }

// shard is one request to the backend.
type shard struct {
	from, to int // its ids
	basis    basis
	target   []byte
	head     []byte // where apart
	out      upstream.Request
	ans      upstream.Answer
	err      error
	ready    chan struct{} // gets one value when ans and err are there
	begun    bool          // that value was taken
}

// failure is how a shard failed: a reason, or what the backend answered.
type failure struct {
	reason policy.Reason
	status int
	kind   []byte // the content type
	body   []byte
}

func newFanOut(c *call, ev *evaluation, out *outgoing, p *printed, ids []int64, room int) *fanOut {
	f := &fanOut{call: c, eval: ev, out: out, printed: p, ids: ids, room: room, width: shardsAtOnce, raw: make([]byte, maxHeld/2)}
	f.joiner.Reset()
	for i := range f.shards {
		f.shards[i].ready = make(chan struct{}, 1)
	}
	return f
}

// stop ends the work for a client that is gone. It may be called at any time, from anywhere, and
// does not block.
func (f *fanOut) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	for i := range f.shards {
		f.shards[i].ans.Cancel()
	}
}

// close stops what is under way, waits for it, and gives its connections back.
func (f *fanOut) close() {
	if f == nil {
		return
	}
	f.stop()
	f.work.Wait()
	for i := range f.shards {
		f.shards[i].ans.Close()
	}
}
