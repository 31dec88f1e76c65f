package proxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

const (
	// maxLearnt is the longest answer that is read for what it says about items. Of a longer one
	// nothing is learnt: its items are asked for again when somebody names them.
	maxLearnt = 8 << 20
	// groupsFor bounds the reading of memberships after a link has changed.
	groupsFor = 30 * time.Second
	// settleFor bounds the reading of groups that a change has left in doubt.
	settleFor = 5 * time.Second
)

// invalidator keeps the index in step with writes that pass through.
type invalidator struct {
	index       Index
	owners      Owners // nil: the backend's rows say whose items are
	accountTree AccountTree
	budget      *budget
	log         *slog.Logger
	elsewhere   *elsewhere // of what was created with a cid that the gateway added; nil: it adds none
}

// note notes what a write has changed, before its client has the answer. What the answer leaves open
// is in doubt: it is read again before its next use. So it is after every answer but a 2xx, and after
// none: a part of the work, or all of it, may have been done before. It then ends the line if the
// request failed.
func (i *invalidator) note(c *call, ev *evaluation, b *requestBody, resp *response) policy.Reason {
	req := ev.in.Request
	if i.index == nil || req.Route == nil || !req.Method.Write() || resp.unsent {
		return resp.failed
	}
	w := write{invalidator: i, call: c, eval: ev, body: b, resp: resp}
	w.note(resp.failed == policy.NotJudged && resp.ans.Status <= 299)
	return resp.failed
}

// write is a write that passed through, or may have.
type write struct {
	*invalidator
	call *call
	eval *evaluation
	body *requestBody
	resp *response
}

// note notes what the write has changed or, unless it worked, may have changed.
func (w *write) note(worked bool) {
	req := w.eval.in.Request
	r := req.Route
	switch {
	case r.Creates && req.Method == policy.POST && r.Collection.Scoped && r.Collection.IDs == policy.IDInt:
		w.created(worked)
	case !r.Item:
	case r.Slot == policy.SlotItem && req.Method == policy.DELETE:
		w.deleted(worked)
	case r.Moves() || r.Slot == policy.SlotItem && w.body.targetCID != 0:
		w.moved(worked)
	case r.Link && r.Collection.Role == policy.RoleGroups:
		w.groupsChanged(r.Selectors[len(r.Selectors)-1])
	}
}

// touched returns the items that a write may have gone to, and whether it went to every one of
// them. In header mode the backend chooses: of a match nobody here knows more than that it stays in
// the scope, and what is known to be elsewhere was not touched, whatever the request names. Else
// anybody could have us forget the groups of others.
func (w *write) touched() (ids []int64, exactly bool) {
	in := &w.eval.in
	d, s, col := &w.eval.dec.Selectors[0], &in.Request.Selectors[0], in.Request.Route.Collection
	switch {
	case in.Items == nil:
		return d.IDs, true
	case d.As == policy.AsAsked && len(s.IDs) == 0:
		return in.Items.Of(col, in.Scope), s.Kind == policy.SelectAll
	}
	ids = slices.DeleteFunc(slices.Clone(d.IDs), func(id int64) bool {
		_, known := in.Items.Account(col, id)
		_, reached := w.eval.dec.Admits(in, 0, id)
		return known && !reached
	})
	return ids, d.As == policy.AsIDs || s.Kind == policy.SelectIDs
}

// accountsChanged notes accounts that were given to cid or, for 0, whose parent is not known any
// more. What is outside of the scope the backend has left alone. What a match has touched is known
// when the tree is read again, which begins now.
func (w *write) accountsChanged(ids []int64, cid int64) {
	in := &w.eval.in
	if w.accountTree == nil || in.Request.Route.Collection.Role != policy.RoleAccounts {
		return
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		return id == in.Scope || !in.Tree.Contains(in.Scope, id)
	})
	if cid > 0 {
		w.accountTree.Moved(ids, cid)
	} else {
		w.accountTree.Deleted(ids)
	}
	w.accountTree.PolicyLoaded()
}

// created reads the ids of new items off the answer. What the index knew before the request was sent
// is no new item, whatever the answer says; without an account, or beside a failure, nobody knows whose
// it is.
func (w *write) created(worked bool) {
	if w.resp.failed != policy.NotJudged {
		return // nothing was named
	}
	in := &w.eval.in
	col := in.Request.Route.Collection
	tree := w.accountTree
	if col.Role != policy.RoleAccounts {
		tree = nil
	}
	var open, made []int64
	w.readAnswer(func(row *listing.Row) {
		id, cid := row.ID[0], row.ID[1]
		_, known := in.Items.Account(col, id)
		if !worked || known || !row.Is[1] && w.owners == nil {
			open = append(open, id)
			return
		}
		if w.owners != nil {
			made = append(made, id)
			return
		}
		if w.elsewhere != nil && !in.Tree.Contains(in.Scope, cid) {
			w.elsewhere.note(col, id, in.Scope, cid, time.Now())
		}
		w.index.Created(col, id, cid)
		if tree != nil {
			tree.Created(id, cid)
		}
	})
	if len(made) > 0 {
		w.recordCreated(made)
	}
	if len(open) == 0 {
		return
	}
	w.doubted(open, in.Scope)
	if tree != nil {
		tree.PolicyLoaded() // reads them again
	}
}

// recordCreated gives what was created to the scope's account, before its client has the answer. What
// cannot be recorded waits at the roots, and the client learns that.
func (w *write) recordCreated(ids []int64) {
	in := &w.eval.in
	col := in.Request.Route.Collection
	if err := w.owners.Created(context.Background(), actor(in.Token), col, ids, in.Scope); err != nil {
		w.log.Error("cannot record whose new items are: they wait at the roots",
			"decision", w.call.id(), "collection", col.URI, "items", len(ids), "account", in.Scope, "error", err)
		w.resp.failed = policy.OwnerUnrecorded
	}
	for _, id := range ids {
		w.index.Created(col, id, in.Scope)
	}
}

// recordDeleted forgets whose items were that are gone. What cannot be forgotten now is when the
// backend has not listed it twice.
func (w *write) recordDeleted(ids []int64) {
	col := w.eval.in.Request.Route.Collection
	if w.owners == nil || !col.Scoped || col.IDs != policy.IDInt {
		return
	}
	if err := w.owners.Deleted(context.Background(), actor(w.eval.in.Token), col, ids); err != nil {
		w.log.Warn("cannot forget whose deleted items were", "decision", w.call.id(), "collection", col.URI, "error", err)
	}
}

// deleted notes deletions that the answer shows to be complete.
func (w *write) deleted(worked bool) {
	ids, exactly := w.touched()
	if worked && exactly && w.complete() {
		w.index.Deleted(w.eval.in.Request.Route.Collection, ids)
		w.recordDeleted(ids)
	} else {
		w.doubted(ids, 0)
	}
	w.accountsChanged(ids, 0)
}

// moved notes moves that the answer shows to be complete.
func (w *write) moved(worked bool) {
	cid := w.body.targetCID
	ids, exactly := w.touched()
	if worked && exactly && cid > 0 && w.complete() {
		w.index.Moved(w.eval.in.Request.Route.Collection, ids, cid)
		w.accountsChanged(ids, cid)
	} else {
		w.doubted(ids, cid)
		w.accountsChanged(ids, 0)
	}
}

// doubted notes items of which nobody knows what became of them. Whoever names them, or all, has them
// read again. Groups are read here: what they confer on their members nobody can wait for later.
func (w *write) doubted(ids []int64, to int64) {
	col := w.eval.in.Request.Route.Collection
	w.index.Doubted(col, ids, to)
	if col.Role != policy.RoleGroups {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleFor)
	defer cancel()
	if err := w.index.Settle(ctx, col, &w.eval.in); err != nil {
		w.log.Warn("cannot read groups after a change that was left open: they confer nothing until it works",
			"decision", w.call.id(), "error", err)
	}
}

// groupsChanged has the members of the groups that were linked read again.
func (w *write) groupsChanged(members *policy.Collection) {
	ctx, cancel := context.WithTimeout(context.Background(), groupsFor)
	defer cancel()
	groups, _ := w.touched()
	if err := w.index.GroupsChanged(ctx, members, groups); err != nil {
		w.log.Warn("cannot read the members of groups after a change: nobody is let in by these groups until it works",
			"decision", w.call.id(), "groups", len(groups), "error", err)
	}
}

// complete reports whether the answer is a listing without errors.
func (w *write) complete() bool { return w.readAnswer(func(*listing.Row) {}) }

// readAnswer reads the whole answer, keeps it for the client, and visits its rows. It reports
// whether it is a listing without errors.
func (w *write) readAnswer(visit func(*listing.Row)) bool {
	resp := w.resp
	if resp.ans.Length > maxLearnt || resp.ans.Framing == upstream.NoBody {
		return false
	}
	resp.bufferedErr = w.buffer()
	resp.isBuffered = true
	if resp.bufferedErr != io.EOF {
		return false
	}
	// Read twice, because a row counts only when the listing is whole: rows that were kept would
	// take several times the length of an answer of short ones.
	rows := readRows(resp.buffered, func(*listing.Row) {})
	if rows.Err() != nil {
		return false
	}
	resp.learnt = true
	readRows(resp.buffered, visit)
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

// buffer reads the answer as far as it is to be learnt from and as the gateway has room for it. The
// error is io.EOF when that was all of it, nil when there is more.
func (w *write) buffer() error {
	b := w.resp.buffered[:0]
	defer func() { w.resp.buffered = b }()
	for {
		if len(b) == cap(b) && !w.grow(&b) {
			return nil
		}
		n, err := w.call.waited.read(w.resp.ans, b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			return err
		}
	}
}

// grow makes room for more of an answer, twice as much each time up to maxLearnt. It returns
// false at the end of that, and when the gateway holds too much.
func (w *write) grow(b *[]byte) bool {
	had := cap(*b)
	size := min(max(2*had, 4096), maxLearnt)
	if size <= had {
		return false
	}
	counted := 0
	if had > maxKept {
		counted = had
	}
	if size > maxKept && !w.budget.reserve(&w.call.memory, w.eval.holder(), int64(size-counted)) {
		return false
	}
	*b = append(make([]byte, 0, size), *b...)
	return true
}
