package proxy

import (
	"slices"
	"time"

	"aclgate/metrics"
	"aclgate/policy"
)

// underWay is what an upload or a streamed answer rests on. The sweep of connections looks at it
// while the bytes pass, so it is a copy of what the exchange knew when they began.
type underWay struct {
	basis     basis
	in        policy.Input
	dec       policy.Decision
	permitted []permitted // of each selector
	cancel    func()
	watched   bool
	cut       bool   // its end is on the way
	check     func() // bound once
}

// permitted is what a selector was let through for.
type permitted struct {
	asAsked bool
	ids     []int64
}

// watch has a request that streams be looked at while it does: if its token or its right ends, it is
// cut within policy.cut_after (SPEC 2, The moment of judgement). What needs no token is not looked
// at.
func (g *Gateway) watch(x *exchange) {
	w, ev := &x.underWay, &x.eval
	if ev.in.Token == nil {
		return
	}
	x.unwatch()
	w.basis, w.in, w.cancel = ev.basis(), ev.in, x.resp.cancel
	w.in.Body = nil
	if x.out.fan != nil {
		w.cancel = x.out.fan.stop
	}
	w.permitted = w.permitted[:0]
	for i := range ev.dec.Selectors {
		s := &ev.dec.Selectors[i]
		w.permitted = append(w.permitted, permitted{s.As == policy.AsAsked && s.IDs == nil, s.IDs})
	}
	w.watched = true
	x.conn.Watch(w.check)
}

// unwatch ends that. The parts of the exchange may change again.
func (x *exchange) unwatch() {
	if !x.underWay.watched {
		return
	}
	x.conn.Watch(nil)
	w := &x.underWay
	w.basis, w.in, w.cancel, w.watched, w.cut = basis{}, policy.Input{}, nil, false, false
	clear(w.permitted)
}

// judgeUnderWay judges the request again while its answer streams.
func (g *Gateway) judgeUnderWay(x *exchange) policy.Reason {
	watched := x.underWay.watched
	x.unwatch()
	reason := g.judge(x)
	if watched && reason == policy.NotJudged {
		g.watch(x)
	}
	return reason
}

// cutIfEnded cuts what is under way if it is not permitted any more. The client gets no orderly end,
// so that what it has cannot look whole. It is called from the sweep and must not block.
func (g *Gateway) cutIfEnded(x *exchange) {
	w := &x.underWay
	if w.cut || !g.confirmer.moved(&w.basis) || g.stillPermitted(x) {
		return
	}
	w.cut = true
	g.Metrics.Add(metrics.Cut, 1)
	w.cancel()
	_ = x.conn.Abort()
}

// stillPermitted judges what is under way by what is in force now.
func (g *Gateway) stillPermitted(x *exchange) bool {
	w := &x.underWay
	in := w.in
	at := time.Now()
	now := basis{revision: g.Tokens.Revision(x.auth.digest.Key())}
	token, err := g.Tokens.Lookup(x.auth.digest, at)
	if err != nil {
		return false
	}
	in.Token, in.At, in.Tree = token, at.Unix(), g.Accounts.Tree()
	if g.Grants != nil {
		in.Grants = g.Grants.Grants()
	}
	if g.Index != nil {
		in.Items = g.Index.View(in.Tree)
	}
	reason := g.Engine.Evaluate(&w.dec, &in)
	if reason != policy.NotJudged || w.dec.Verdict == policy.Unresolved || in.Scope != w.in.Scope || !w.covered(x.out.fan != nil) {
		return false
	}
	now.token, now.tree, now.items, now.paths = in.Token, in.Tree, in.Items, in.PathState()
	w.basis, w.in = now, in
	return true
}

// covered reports whether all that was let through would be let through now. Of a long list each
// part is judged before it is asked for, so that an item which is moved away does not end the rest.
func (w *underWay) covered(inParts bool) bool {
	for i := range w.permitted {
		was, is := &w.permitted[i], &w.dec.Selectors[i]
		switch {
		case is.As == policy.AsAsked || inParts:
		case was.asAsked || !containsAll(is.IDs, was.ids):
			return false
		}
	}
	return true
}

// containsAll reports whether every one of ids is in set, in whatever order.
func containsAll(set, ids []int64) bool {
	if slices.Equal(set, ids) {
		return true
	}
	if !slices.IsSorted(set) {
		set = slices.Sorted(slices.Values(set))
	}
	for _, id := range ids {
		if _, found := slices.BinarySearch(set, id); !found {
			return false
		}
	}
	return true
}
