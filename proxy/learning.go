package proxy

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"aclgate/policy"
	"aclgate/proxy/body"
	"aclgate/upstream"
	"aclgate/upstream/index"
	"aclgate/upstream/listing"
)

// Index knows whose every item is, and hears of what passes through before the
// client does (SPEC 4.4). Nil where nobody has to know.
type Index interface {
	View(*policy.Tree) *index.View
	StaleFor(*policy.Input) bool
	Created(c *policy.Collection, id, cid int64)
	Moved(c *policy.Collection, ids []int64, cid int64)
	Deleted(c *policy.Collection, ids []int64)
	GroupsChanged(context.Context, *policy.Collection) error
}

// AccountTree hears of accounts that are made or changed through the gateway.
// Nil where the tree comes from the policy alone.
type AccountTree interface {
	Stale() bool
	Created(id, parent int64)
	Moved(ids []int64, parent int64)
	Deleted(ids []int64)
	PolicyLoaded()
}

const (
	// maxLearnt is the longest answer that is read for what it says about
	// items. Of a longer one nothing is learnt: its items are asked for again
	// when somebody names them.
	maxLearnt = 8 << 20
	// groupsFor bounds the reading of memberships after a link has changed.
	groupsFor = 30 * time.Second
)

// items gives the request one snapshot of what is known, from begin to end.
func (g *Gateway) items(c *call) {
	if g.Index != nil {
		c.in.Items = g.Index.View(c.in.Tree)
	}
}

// tooOld reports whether a verdict rests on an index that is too old. What an
// entry refuses, it refuses whoever the item belongs to.
func (g *Gateway) tooOld(c *call) bool {
	if g.Index == nil || c.req.Route == nil || c.req.Route.Local != policy.NoLocalReply || c.req.Route.Collection.Dictionary {
		return false
	}
	switch {
	case c.dec.Verdict != policy.Deny, c.dec.Reason == policy.DeniedItems, c.dec.Reason == policy.NothingLeft,
		c.dec.Reason == policy.IndexStale:
		return g.Index.StaleFor(&c.in)
	}
	return false
}

// withAccount gives the objects of a creation the scope's account where the
// backend would not: the one change that a body ever sees (SPEC 4.4, ids).
func (g *Gateway) withAccount(c *call, s *body.Scanner, shape body.Kind, text []byte) policy.Reason {
	r := c.req.Route
	if g.engine.Mode != policy.ModeIDs || c.method != policy.POST || !r.Creates || !r.Collection.Scoped {
		return policy.NotJudged
	}
	if shape != body.Object && shape != body.Array {
		return c.refusal(policy.BadBody, "a creation needs an object, or an array of objects")
	}
	size := int64(len(text)) + c.bare*int64(len(`,"cid":`)+digits(c.in.Scope))
	if !g.enlarge(c, size) {
		return c.refusal(policy.Overloaded, textBodies)
	}
	with := s.AppendWithCID(make([]byte, 0, size), text, c.in.Scope)
	if c.req.Data == nil {
		c.text = with
		return policy.NotJudged
	}
	for i := range c.req.Query {
		if c.req.Query[i].Name == "data" {
			c.req.Query[i].Value = with
		}
	}
	return policy.NotJudged
}

// noteAccount remembers the account that an element of a body gives its item,
// where that is one and the same for all.
func (c *call) noteAccount(cid int64, shape body.Kind) {
	creates := c.req.Route.Creates
	switch {
	case cid == 0 && !creates:
		return
	case cid == 0:
		cid = c.in.Scope
		c.bare++
	}
	if c.account != 0 && c.account != cid || !creates && shape == body.Array {
		cid = -1
	}
	c.account = cid
}

// learn notes what a write that passed through has changed, before its client
// has the answer. Of what the answer leaves open the items are forgotten: who
// names them next has them looked up. So it is after a fault of the backend,
// which may have done the work before it failed.
func (g *Gateway) learn(c *call) policy.Reason {
	switch status := c.ans.Status; {
	case status <= 299:
		g.noteWrite(c, true)
	case status >= 500:
		g.noteWrite(c, false)
	}
	return policy.NotJudged
}

// noteWrite notes what a write has changed or, unless it worked, may have changed.
func (g *Gateway) noteWrite(c *call, worked bool) {
	r := c.req.Route
	if g.Index == nil || r == nil || !c.method.Write() {
		return
	}
	switch {
	case r.Creates && c.method == policy.POST && r.Collection.Scoped && r.Collection.IDs == policy.IDInt:
		if worked {
			g.learnCreated(c)
		}
	case !r.Item:
	case r.Slot == policy.SlotItem && c.method == policy.DELETE:
		ids, _ := c.touched()
		g.Index.Deleted(r.Collection, ids)
		g.accountsChanged(c, ids, 0)
	case c.moves():
		g.learnMoved(c, worked)
	case r.Link && r.Collection.Role == policy.RoleGroups:
		g.learnMembers(c, r.Selectors[len(r.Selectors)-1])
	}
}

// touched returns the items that a write may have gone to, and whether it went
// to every one of them. In header mode the backend chooses: of a match nobody
// here knows more than that it stays in the scope, and what is known to lie
// elsewhere was not touched, whatever the request names. Else anybody could
// have us forget the groups of others.
func (c *call) touched() (ids []int64, exactly bool) {
	p, s, col := &c.dec.Selectors[0], &c.req.Selectors[0], c.req.Route.Collection
	in := &c.in
	switch {
	case in.Items == nil:
		return p.IDs, true
	case p.As == policy.AsAsked && s.Kind != policy.SelectIDs:
		return in.Items.Of(col, in.Scope), s.Kind == policy.SelectAll
	}
	ids = slices.DeleteFunc(slices.Clone(p.IDs), func(id int64) bool {
		cid, known := in.Items.Account(col, id)
		return known && !in.Tree.Contains(in.Scope, cid)
	})
	return ids, true
}

// moves reports whether the request gives items to another account.
func (c *call) moves() bool {
	r := c.req.Route
	return r.Moves() || r.Slot == policy.SlotItem && c.account != 0
}

// accountsChanged notes accounts that were given to cid or, for 0, of which
// nobody knows any more where they hang. What lies outside of the scope the
// backend has left alone. What a match has touched is known when the tree is
// read again, which begins now.
func (g *Gateway) accountsChanged(c *call, ids []int64, cid int64) {
	if g.AccountTree == nil || c.req.Route.Collection.Role != policy.RoleAccounts {
		return
	}
	in := &c.in
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return id == in.Scope || !in.Tree.Contains(in.Scope, id)
	})
	if cid > 0 {
		g.AccountTree.Moved(ids, cid)
	} else {
		g.AccountTree.Deleted(ids)
	}
	g.AccountTree.PolicyLoaded()
}

// learnCreated reads the ids of new items off the answer.
func (g *Gateway) learnCreated(c *call) {
	col := c.req.Route.Collection
	g.readAnswer(c, func(row *listing.Row) {
		cid := row.ID[1]
		if !row.Is[1] {
			cid = c.account
		}
		if cid <= 0 {
			return
		}
		g.Index.Created(col, row.ID[0], cid)
		if g.AccountTree != nil && col.Role == policy.RoleAccounts {
			g.AccountTree.Created(row.ID[0], cid)
		}
	})
}

// learnMoved notes moves that the answer shows to be complete.
func (g *Gateway) learnMoved(c *call, worked bool) {
	col := c.req.Route.Collection
	ids, exactly := c.touched()
	whole := worked && g.readAnswer(c, func(*listing.Row) {})
	if whole && exactly && c.account > 0 {
		g.Index.Moved(col, ids, c.account)
		g.accountsChanged(c, ids, c.account)
	} else {
		g.Index.Deleted(col, ids)
		g.accountsChanged(c, ids, 0)
	}
}

func (g *Gateway) learnMembers(c *call, members *policy.Collection) {
	ctx, cancel := context.WithTimeout(context.Background(), groupsFor)
	defer cancel()
	if err := g.Index.GroupsChanged(ctx, members); err != nil {
		g.Log.Warn("cannot read the members of groups after a change: nobody is let in by them until it works",
			"decision", c.id(), "error", err)
	}
}

// readAnswer reads the whole answer, keeps it for the client, and visits its
// rows. It reports whether it is a listing without errors.
func (g *Gateway) readAnswer(c *call, visit func(*listing.Row)) bool {
	if c.ans.Length > maxLearnt || c.ans.Framing == upstream.NoBody {
		return false
	}
	began := now()
	c.heldErr = g.readLearnt(c)
	c.waited += since(began)
	c.held = true
	if c.heldErr != io.EOF {
		return false
	}
	// Read twice, because a row counts only when the listing is whole: rows that
	// were kept would take several times the length of an answer of short ones.
	rows := readRows(c.merge, func(*listing.Row) {})
	if rows.Err() != nil {
		return false
	}
	readRows(c.merge, visit)
	return !rows.Failed()
}

// readRows visits the rows of a listing, and returns how it ended.
func readRows(answer []byte, visit func(*listing.Row)) *listing.Rows {
	rows := new(listing.Rows)
	rows.Reset(bytes.NewReader(answer), listing.Columns{Names: []string{"id", "cid"}, Required: 1})
	for rows.Next() {
		visit(rows.Row())
	}
	return rows
}

// readLearnt reads the answer as far as it is to be learnt from and as the
// gateway has room for it. The error is io.EOF when that was all of it, nil
// when there is more.
func (g *Gateway) readLearnt(c *call) error {
	c.merge = c.merge[:0]
	for {
		if len(c.merge) == cap(c.merge) && !g.widen(c) {
			return nil
		}
		n, err := c.ans.Read(c.merge[len(c.merge):cap(c.merge)])
		c.merge = c.merge[:len(c.merge)+n]
		if err != nil {
			return err
		}
	}
}
