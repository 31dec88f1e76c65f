package topic

import (
	"bytes"

	"aclgate/policy"
)

// One broker that knows no accounts is shared by path (SPEC 16.4.6): own topics live below the
// accounts from the root down to their own, padded to one depth. A branch is then one filter,
// siblings cannot meet, and what is retained is each account's own.
//
//	acc/1/11/-/-/x    topic x of account 11, which is below 1
//	acc/1/11/+/+/#    everything of account 11 and below

// padding stands for the levels of accounts that a path does not have.
const padding = "-"

// AppendPath appends an own topic as the broker knows it: of account cid, where accounts are told
// apart by path, else as it is. It reports false for an account that the tree does not place.
func (l *Law) AppendPath(dst []byte, tree *policy.Tree, cid int64, topic []byte) ([]byte, bool) {
	if l.Namespace != ByPath {
		return append(dst, topic...), true
	}
	dst, ok := l.appendAccounts(dst, tree, cid, padding)
	return append(append(dst, '/'), topic...), ok
}

// appendAccounts appends the prefix and the accounts down to cid, and rest for the levels below.
func (l *Law) appendAccounts(dst []byte, tree *policy.Tree, cid int64, rest string) ([]byte, bool) {
	var room [16]int64
	up := room[:0]
	tree.Ancestors(cid, func(id int64) { up = append(up, id) })
	dst = append(dst, l.Prefix...)
	for i := range l.Depth {
		dst = append(dst, '/')
		if i < len(up) {
			dst = appendInt(dst, up[len(up)-1-i])
		} else {
			dst = append(dst, rest...)
		}
	}
	return dst, len(up) > 0 && len(up) <= l.Depth
}

// path returns what stands before an own filter at the broker, with its last slash: for one account
// alone, or for the whole scope if alone is 0.
func (j *Judge) path(alone int64) (string, bool) {
	l := j.permit.law
	cid, rest := alone, padding
	if alone == 0 {
		cid, rest = j.Scope, "+"
	}
	text, ok := l.appendAccounts(nil, j.Tree, cid, rest)
	return string(append(text, '/')), ok
}

// cutPath takes the accounts off an own topic of the broker, and reports the account whose topic it
// is: one that is in the tree, at the place where the topic says. After an account was moved, what
// was retained at its old place is of nobody.
func (j *Judge) cutPath(topic []byte) (cid int64, ok bool) {
	l := j.permit.law
	if len(j.levels) < l.Depth+2 || string(j.levels[0]) != l.Prefix {
		return 0, false
	}
	j.above = j.above[:0]
	at := len(l.Prefix) + 1
	for i, level := range j.levels[1 : l.Depth+1] {
		at += len(level) + 1
		id, isID := policy.ParseID(level)
		switch {
		case isID && len(j.above) == i:
			j.above = append(j.above, id)
		case !bytes.Equal(level, []byte(padding)):
			return 0, false
		}
	}
	n := len(j.above)
	if n == 0 {
		return 0, false
	}
	cid, ok = j.above[n-1], true
	j.Tree.Ancestors(cid, func(id int64) {
		n--
		ok = ok && n >= 0 && j.above[n] == id
	})
	j.levels = j.levels[:copy(j.levels, j.levels[l.Depth+1:])]
	j.shown = topic[at:]
	return cid, ok && n == 0
}

// Shown returns the topic of the last delivery as the client knows it. It is a part of what Deliver
// was given.
func (j *Judge) Shown() []byte { return j.shown }
