package platform

import (
	"maps"

	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// counted is what a count is of: records of a kind in the branch of an account.
type counted struct {
	word string
	cid  int64
}

// InBranch implements admin.World. A branch is counted once in a call: a POST of many records asks for
// each of them, and must not read the branch as often.
func (w *world) InBranch(word string, cid int64) int64 {
	n, known := w.counts[counted{word, cid}]
	if known {
		return n
	}
	table := kindTables[word]
	branch := w.branch(cid)
	switch table {
	case store.Accounts:
		n = int64(len(branch) - 1)
	case store.Tokens:
		var err error
		n, err = w.r.CountTokens(branch)
		w.failed(err)
	default:
		w.inAccounts(table, branch, func(store.Row) { n++ })
	}
	if w.counts == nil {
		w.counts = map[counted]int64{}
	}
	w.counts[counted{word, cid}] = n
	return n
}

// grew counts a new record. Records that change are still of their account.
func (w *world) grew(t store.Table, doc record.Value) {
	if t == store.Tokens && isLogin(doc) {
		return
	}
	cid := record.NumberOf(doc, "cid")
	if t == store.Accounts {
		cid = record.NumberOf(doc, "parent")
	}
	law := admin.Law{World: w}
	for what, n := range w.counts {
		if kindTables[what.word] == t && law.Within(what.cid, cid) {
			w.counts[what] = n + 1
		}
	}
}

// shrunk forgets counts of a table of which a record goes.
func (w *world) shrunk(t store.Table) {
	maps.DeleteFunc(w.counts, func(what counted, _ int64) bool { return kindTables[what.word] == t })
}
