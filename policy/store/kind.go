package store

import "aclgate/policy"

// kind is what lists of entries have in common that differ in ids, topics and lines only. Of 100,000 tokens
// there are a few dozen kinds.
type kind struct {
	entries  []policy.Entry // without ids and lines
	findings int            // how many the lint has
}

// kinds numbers the kinds of one policy.
type kinds struct {
	list   []kind
	number map[string]int // nil once the policy is read
	key    []byte
}

// of returns the number of the kind of a list of entries. Of a new one the lint counts the
// findings.
func (k *kinds) of(entries []policy.Entry, l *lint) int {
	k.key = k.key[:0]
	for i := range entries {
		k.key = entries[i].AppendShape(k.key)
	}
	n, known := k.number[string(k.key)]
	if known {
		return n
	}
	n = len(k.list)
	k.number[string(k.key)] = n
	var bare []policy.Entry // nil of none
	for _, e := range entries {
		e.IDs, e.Topic, e.Actions, e.Line = policy.IDSet{}, "", 0, 0
		bare = append(bare, e)
	}
	k.list = append(k.list, kind{entries: bare, findings: l.count(entries)})
	return n
}
