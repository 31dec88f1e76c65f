package proxy

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"

	"aclgate/policy"
	"aclgate/upstream"
)

// textUnjoinable is what is wrong with a shard that is no answer of the API.
const textUnjoinable = "the backend sent what is no list of items"

// next appends the next bytes of the joined answer to dst, which is empty. The error is io.EOF with
// the last of them; any other means that the answer cannot be brought to a good end.
func (f *fanOut) next(dst []byte) ([]byte, error) {
	for len(dst) == 0 {
		p, err := f.current()
		switch {
		case err != nil:
			return dst, err
		case p == nil:
			return f.finish(dst), io.EOF
		case !p.begun:
			err = f.readHead(p)
		default:
			dst, err = f.read(dst, p)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// readHead waits for the head of a shard and looks at it. An error ends the whole answer.
func (f *fanOut) readHead(p *shard) error {
	f.call.waited.start()
	<-p.ready
	f.call.waited.stop()
	p.begun = true
	f.joiner.Begin(true)
	switch {
	case errors.Is(p.err, upstream.ErrCanceled):
		return p.err
	case errors.Is(p.err, upstream.ErrWithdrawn) && f.moved < maxMoved:
		f.moved++
		f.cancelFrom(f.done)
		return nil
	case errors.Is(p.err, upstream.ErrWithdrawn):
		return f.fail(p, policy.Overloaded, "")
	case errors.Is(p.err, upstream.ErrBusy) && f.width > 1:
		f.retryAlone(p)
		return nil
	case p.err != nil:
		return f.fail(p, f.faults.of(f.call, p.err), "")
	}
	reason := f.faults.refusedBy(f.call, p.ans.Status)
	switch {
	case reason != policy.NotJudged:
		return f.fail(p, reason, "")
	case p.ans.Status > 299:
		return f.refused(p)
	case !mergeable(&p.ans):
		return f.fail(p, policy.UpstreamBroken, textUnjoinable)
	}
	return nil
}

// read reads the next piece of a shard.
func (f *fanOut) read(dst []byte, p *shard) ([]byte, error) {
	n, err := f.call.waited.read(&p.ans, f.raw)
	dst, fault := f.joiner.Feed(dst, f.raw[:n])
	if err == io.EOF && fault == nil {
		fault = f.joiner.End()
	}
	switch {
	case fault != nil:
		f.faults.log.Warn("a part of an answer cannot be joined", "decision", f.call.id(), "error", fault)
		return dst, f.fail(p, policy.UpstreamBroken, textUnjoinable)
	case err == io.EOF:
		f.served++
		f.failing, f.moved = 0, 0
		f.advance(p)
	case errors.Is(err, upstream.ErrCanceled):
		return dst, err
	case err != nil:
		return dst, f.fail(p, f.faults.of(f.call, err), "")
	}
	return dst, nil
}

// advance goes on to the next shard.
func (f *fanOut) advance(p *shard) {
	p.ans.Close()
	f.done++
}

// errPartialRow says that a shard broke inside a row that was partly sent already.
var errPartialRow = errors.New("the backend broke off in the middle of a long row")

// fail ends a shard that the backend failed. What came of it stays, if it is whole. A backend that
// fails again and again is given up.
func (f *fanOut) fail(p *shard, reason policy.Reason, text string) error {
	if f.joiner.PartialRow() {
		return errPartialRow
	}
	if f.joiner.Rows() > 0 {
		f.served++
	}
	if f.done == 0 {
		f.first = failure{reason: reason}
	}
	f.joiner.AddErrors(f.appendLost(nil, p, reason, text))
	f.advance(p)
	f.count(reason)
	return nil
}

// count counts shards that were lost in a row.
func (f *fanOut) count(reason policy.Reason) {
	f.failing++
	if f.failing < giveUpAfter {
		return
	}
	f.cancelFrom(f.done)
	if rest := len(f.ids) - f.from; rest > 0 {
		b := appendFault(nil, reason, "the backend fails")
		b = f.appendRange(b, f.from, len(f.ids))
		f.joiner.AddErrors(append(b, ` were not asked for"}`...))
	}
	f.from = len(f.ids)
}

// refused ends a shard that the backend refused: its errors are those of the shard. The first of
// all is kept whole, in case that no shard gives anything.
func (f *fanOut) refused(p *shard) error {
	body, err := f.hold(p)
	if errors.Is(err, upstream.ErrCanceled) {
		return err
	}
	f.joiner.Begin(false)
	if plainJSON(&p.ans) {
		f.joiner.Feed(nil, body)
	}
	if f.joiner.Found() == 0 {
		text := "the backend answered " + strconv.Itoa(p.ans.Status)
		f.joiner.AddErrors(f.appendLost(nil, p, policy.UpstreamBroken, text))
	}
	status := p.ans.Status
	if f.done == 0 {
		f.first = failure{status: status, kind: bytes.Clone(contentType(&p.ans)), body: body}
		if err != nil || len(body) > maxHeld {
			f.first = failure{reason: policy.UpstreamBroken}
		}
	}
	f.advance(p)
	if status < 500 && status != 429 {
		f.failing = 0 // it has judged: it is alive
		return nil
	}
	f.count(policy.UpstreamBroken)
	return nil
}

// hold reads the answer of a shard that was refused, as far as it is looked at.
func (f *fanOut) hold(p *shard) ([]byte, error) {
	f.call.waited.start()
	defer f.call.waited.stop()
	return io.ReadAll(io.LimitReader(&p.ans, maxHeld+1))
}

// finish ends the joined answer: errors that were too many, and the denied items, come last.
func (f *fanOut) finish(dst []byte) []byte {
	if n := f.joiner.LeftOut(); n > 0 {
		b := appendFault(nil, policy.UpstreamBroken, "further errors of the backend were left out: ")
		f.joiner.AddErrors(append(strconv.AppendInt(b, int64(n), 10), `"}`...))
	}
	f.joiner.AddErrors(appendDenied(nil, f.eval))
	return f.joiner.Close(dst)
}

// appendLost appends the error that says what is missing of a shard.
func (f *fanOut) appendLost(b []byte, p *shard, reason policy.Reason, text string) []byte {
	b = appendFault(b, reason, text)
	rows := f.joiner.Rows()
	b = f.appendRange(b, p.from, p.to)
	if rows == 0 {
		return append(b, ` are missing"}`...)
	}
	b = append(b, " gave "...)
	b = appendCounted(b, rows, " row")
	return append(b, ` before"}`...)
}

// appendCounted appends a number and what it counts, whose plural ends in s.
func appendCounted(b []byte, n int, what string) []byte {
	b = append(strconv.AppendInt(b, int64(n), 10), what...)
	if n != 1 {
		b = append(b, 's')
	}
	return b
}

// appendFault begins an error of the gateway's own. text is for what the reason says in general.
func appendFault(b []byte, reason policy.Reason, text string) []byte {
	a := faultOf(reason.Answer())
	if text == "" {
		text = a.Text
	}
	return append(appendErrorHead(b, a.Status), text...)
}

// appendRange says how many items stand from one place of the list to another, and between which ids.
func (f *fanOut) appendRange(b []byte, from, to int) []byte {
	b = append(b, ": "...)
	b = appendCounted(b, to-from, " item")
	b = append(b, ", "...)
	b = strconv.AppendInt(b, slices.Min(f.ids[from:to]), 10)
	b = append(b, " to "...)
	b = strconv.AppendInt(b, slices.Max(f.ids[from:to]), 10)
	return append(b, ',')
}
