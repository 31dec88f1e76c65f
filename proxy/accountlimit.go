package proxy

import (
	"fmt"
	"time"

	"aclgate/policy"
	"aclgate/proxy/quota"
)

// accountLimits enforces what limits say of accounts (SPEC 12).
type accountLimits struct {
	book  *quota.Book // nil: nobody is bounded
	index Index       // counts items; nil: the backend does
}

// admit counts a request, and refuses it if its account, or one above it, is blocked or exceeds its
// calls. It is never a 401, on which clients log their user out.
func (l *accountLimits) admit(c *call, ev *evaluation, hold *quota.Hold) policy.Reason {
	if l.book == nil || ev.in.Token == nil {
		return policy.NotJudged
	}
	r := l.book.Admit(hold, ev.in.Token.CID, c.began)
	if r.Reason == policy.NotJudged {
		return policy.NotJudged
	}
	c.refusal.retry = int(r.Retry)
	if r.Reason == policy.AccountBlocked {
		return c.refuse(r.Reason, fmt.Sprintf("account %d is blocked", r.Account))
	}
	return c.refuse(r.Reason, limitReached(&r))
}

func limitReached(r *quota.Refusal) string {
	return fmt.Sprintf("limit %s of account %d is reached (%d)", r.Bound, r.Account, r.Limit)
}

// reserve makes room for the items that a request makes or moves, as long as nobody knows what becomes
// of it, or refuses it. It returns at once where no account has a bound of items.
func (l *accountLimits) reserve(c *call, ev *evaluation, b *requestBody, hold *quota.Hold) policy.Reason {
	if l.book == nil || l.index == nil || !l.book.Bounds() || ev.in.Items == nil {
		return policy.NotJudged
	}
	req := ev.in.Request
	if req.Route == nil || !req.Method.Write() || !req.Route.Owned() {
		return policy.NotJudged
	}
	adds := l.adds(ev, b)
	if len(adds) == 0 {
		return policy.NotJudged
	}
	col := req.Route.Collection
	r := l.book.Reserve(hold, &quota.Counting{
		Collection: col, Read: l.index.ReadAt(col),
		Count: func(cid int64) int {
			v := l.index.View(ev.in.Tree)
			return len(v.Of(col, cid)) + len(v.Doubtful(col, cid))
		},
	}, adds)
	if r.Reason != policy.NotJudged {
		return c.refuse(r.Reason, limitReached(&r))
	}
	return policy.NotJudged
}

// adds returns the items that accounts get by a request.
func (l *accountLimits) adds(ev *evaluation, b *requestBody) []quota.Add {
	req := ev.in.Request
	route := req.Route
	switch {
	case route.Creates && req.Method == policy.POST && len(b.adds) == 0:
		return []quota.Add{{CID: ev.in.Scope, N: 1}} // what it makes only the backend knows
	case route.Creates && req.Method == policy.POST:
		return b.adds
	case !route.Item || !(route.Moves() || route.Slot == policy.SlotItem) || b.targetCID == 0:
		return nil
	case b.targetCID < 0: // each element moves an item to an account of its own
		return b.adds
	}
	d := &ev.dec.Selectors[0]
	adds := make([]quota.Add, 0, len(d.IDs))
	for _, id := range d.IDs {
		from, _ := ev.in.Items.Account(route.Collection, id)
		adds = append(adds, quota.Add{CID: b.targetCID, From: from, N: 1})
	}
	return adds
}

// settle gives back what was reserved, once the answer has said what became of it and the index knows.
// What a lost or unclear answer leaves open stays reserved until the items were read once more.
func (l *accountLimits) settle(hold *quota.Hold, resp *response) {
	if l.book == nil {
		return
	}
	lost := resp.failed != policy.NotJudged && !resp.unsent
	answered := resp.failed == policy.NotJudged
	unclear := answered && (resp.ans.Status >= 500 || resp.ans.Status <= 299 && !resp.learnt)
	if lost || unclear {
		l.book.Lose(hold, time.Now())
		return
	}
	l.book.Settle(hold)
}

// end ends what a request has taken. What was denied counts for its own account alone.
func (l *accountLimits) end(c *call, hold *quota.Hold, status int) {
	if l.book == nil {
		return
	}
	denied := status == 401 || status == 403 || status == 429
	l.book.Release(hold, denied, c.rec.BytesIn+c.rec.BytesOut, time.Now())
}
