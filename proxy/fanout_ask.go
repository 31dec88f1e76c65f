package proxy

import (
	"slices"
	"strconv"

	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/upstream"
)

// current returns the shard that is to be read, nil after the last one, and sees to it that the
// next ones are asked for. Each is judged before it is asked for (SPEC 2, The moment of judgement).
func (f *fanOut) current() (*shard, error) {
	for f.asked < f.done+f.width && f.from < len(f.ids) {
		if err := f.confirm(); err != nil {
			return nil, err
		}
		if f.from < len(f.ids) {
			f.ask()
		}
	}
	if f.done == f.asked {
		return nil, nil
	}
	return f.shard(f.done), nil
}

// confirm judges the request again if what its decision rests on has moved. Ids that are not
// permitted any more are not asked for. The error is the reason why nothing more may be.
func (f *fanOut) confirm() error {
	b := f.eval.basis()
	if !f.confirmer.moved(&b) {
		return nil
	}
	scope := f.eval.in.Scope
	f.ids = slices.Clone(f.ids) // they may be in the memory of the decision
	reason := f.out.judge()
	if reason == policy.NotJudged && f.eval.in.Scope != scope { // half of the answer would be of another branch
		reason = policy.ForeignAccount
	}
	if reason != policy.NotJudged {
		f.faults.metrics.Add(metrics.Cut, 1)
		return reason
	}
	f.call.conn.OnGone(f.stop)
	f.ids = append(f.ids[:f.from], f.order(f.eval.dec.Remaining(f.ids[f.from:]))...)
	return nil
}

// order brings ids into the order in which they are asked for.
func (f *fanOut) order(ids []int64) []int64 {
	if !f.apart {
		return ids
	}
	return f.eval.dec.ByRoot(&f.eval.in, ids)
}

// shard returns the place of shard number n.
func (f *fanOut) shard(n int) *shard { return &f.shards[n%shardsAtOnce] }

// ask asks for the next shard.
func (f *fanOut) ask() {
	p := f.shard(f.asked)
	p.from, p.to = f.from, f.cut()
	head := f.out.head
	if f.apart {
		n, cid := f.eval.dec.Under(&f.eval.in, f.ids[p.from:p.to])
		p.to = p.from + n
		p.head = appendAccount(append(p.head[:0], head...), cid)
		head = p.head
	}
	f.from = p.to
	f.asked++
	f.printed.dec.SetIDs(f.ids[p.from:p.to])
	p.target = f.printed.append(p.target[:0])
	p.basis = f.eval.basis()
	p.out = upstream.Request{
		Method: f.printed.req.Method.String(), Target: p.target, Head: head, Repeatable: true, Holder: f.eval.holder(),
		Confirm: func() error { return f.confirmShard(p) },
	}
	f.note(p)
	f.send(p)
}

// confirmShard is asked when a connection for the shard is there. It is called from the goroutine of
// the shard, so it judges nothing.
func (f *fanOut) confirmShard(p *shard) error {
	if f.confirmer.moved(&p.basis) {
		return errMoved
	}
	return nil
}

// cut returns where the next shard ends: as many ids as there is room for.
func (f *fanOut) cut() int {
	to, used := f.from, 0
	for to < len(f.ids) {
		used += digits(f.ids[to])
		if used > f.room {
			break
		}
		used++ // the comma
		to++
	}
	return to
}

// maxSent is how much of its first target stands for a whole fan-out.
const maxSent = 80

// note says what the backend was sent, for whoever watches.
func (f *fanOut) note(p *shard) {
	if f.asked == 1 {
		f.sent = append(f.sent, p.target[:min(len(p.target), maxSent)]...)
	}
	b := append(f.sent, "… in "...)
	b = strconv.AppendInt(b, int64(f.asked), 10)
	f.out.sent = append(b, " requests"...)
}

// send sends the request of a shard.
func (f *fanOut) send(p *shard) {
	p.err, p.begun = nil, false
	f.work.Go(func() { f.fetch(p) })
}

// fetch waits for the head of a shard's answer. A panic in here would end the process: it is this
// shard's failure.
func (f *fanOut) fetch(p *shard) {
	defer func() {
		if fault := recover(); fault != nil {
			f.faults.panicked(f.call, fault)
			p.err = policy.Internal
		}
		p.ready <- struct{}{}
	}()
	p.err = f.backend.Do(&p.out, &p.ans)
}

// retryAlone asks for the current shard once more when there was no connection for it. Those that
// its successors hold are given up first, and from now on there are no successors: otherwise two
// fan-outs could wait for each other, each holding what the other lacks.
func (f *fanOut) retryAlone(p *shard) {
	f.width = 1
	f.cancelFrom(f.done + 1)
	f.send(p)
}

// cancelFrom takes back the shards from number n on, as if they had never been asked for.
func (f *fanOut) cancelFrom(n int) {
	for i := n; i < f.asked; i++ {
		f.shard(i).ans.Cancel()
	}
	for i := n; i < f.asked; i++ {
		if !f.shard(i).begun {
			<-f.shard(i).ready
		}
		f.renewShard(f.shard(i))
	}
	if n < f.asked {
		f.from, f.asked = f.shard(n).from, n
	}
}

// renewShard forgets the Cancel of a recalled shard, but not that of a client that is gone.
func (f *fanOut) renewShard(p *shard) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.ans.Reset()
	if f.stopped {
		p.ans.Cancel()
	}
}
