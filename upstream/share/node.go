package share

import "container/list"

// key names a node.
type key struct {
	kind nodeKind
	id   int64
}

type nodeKind uint8

const (
	ofGateway nodeKind = iota // all of its own readings
	ofStrangers
	ofToken
	ofAccount // and of everything below it
)

// node is what a token, or an account with everything below it, holds. It exists while there is
// something to say. It is where it was when it began to be, also if the tree changes meanwhile.
type node struct {
	key      key
	up       *node // the account above; nil below a root
	counts   [2]int64
	tokens   int64         // nodes that are directly below
	accounts int64         //
	waiting  list.List     // of *Waiter
	place    *list.Element // in Ledger.turns; nil: nobody waits
}

// join returns the node of a holder. If nothing comes of it, drop has to follow.
func (l *Ledger) join(h *Holder) *node {
	k := key{kind: ofGateway}
	switch h.Kind {
	case Stranger:
		k.kind = ofStrangers
	case Caller, LookUp:
		k = key{ofToken, h.Token}
	}
	n, found := l.nodes[k]
	if found {
		return n
	}
	n = &node{key: k}
	l.nodes[k] = n
	if k.kind == ofToken {
		l.place(n, h)
	}
	return n
}

// place puts the new node of a token below those of its accounts, but for the root.
func (l *Ledger) place(token *node, h *Holder) {
	below := token
	h.Tree.Ancestors(h.CID, func(id int64) {
		if below == nil || h.Tree.Root(id) {
			return
		}
		k := key{ofAccount, id}
		above, found := l.nodes[k]
		if !found {
			above = &node{key: k}
			l.nodes[k] = above
		}
		below.up = above
		*above.children(below) += 1
		if below = above; found {
			below = nil // it is in its place already
		}
	})
}

// children returns the number of nodes of the kind of child that are directly below n.
func (n *node) children(child *node) *int64 {
	if child.key.kind == ofToken {
		return &n.tokens
	}
	return &n.accounts
}

// drop forgets a node that says nothing, and those above it that say nothing without it.
func (l *Ledger) drop(n *node) {
	for n != nil && n.counts == [2]int64{} && n.tokens == 0 && n.accounts == 0 {
		delete(l.nodes, n.key)
		if n.up != nil {
			*n.up.children(n) -= 1
		}
		n, n.up = n.up, nil
	}
}

// add counts n more for a node and all above it.
func (n *node) add(w which, amount int64) {
	for ; n != nil; n = n.up {
		n.counts[w] += amount
	}
}

// bound returns the bound that stands against n more, noBound if there is none.
func (n *node) bound(r *resource, more int64) bound {
	if n.key.kind == ofToken && n.counts[r.which]+more > r.token {
		return ofTokens
	}
	for child, a := n, n.up; a != nil; child, a = a, a.up {
		after := a.counts[r.which] + more
		switch {
		case after > r.account:
			return ofAccounts
		case after > r.account-r.kept && child.counts[r.which]+more > a.part(child, r.account):
			return ofAccounts
		}
	}
	return noBound
}

// part returns the equal part that a child has of the bound of an account, rounded up. An account alone below
// another has a half: others may come. The tokens of an account are together one child.
func (n *node) part(child *node, of int64) int64 {
	parts := n.accounts
	if n.tokens > 0 {
		parts++
	}
	if child.key.kind == ofToken {
		parts *= n.tokens
	} else {
		parts = max(2, parts)
	}
	return (of + parts - 1) / parts
}
