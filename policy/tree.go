package policy

import (
	"fmt"
	"slices"
)

// Account is a node of the account tree.
type Account struct {
	ID     int64
	Parent int64 // 0: a root
	Name   string
}

// AtRoots is the account of an item that has none and waits for one: it is in the branch of every
// root, and of nobody else.
const AtRoots int64 = -2

// Tree is the account tree, immutable once built. Whether one account is in the branch of another
// is two comparisons: each account has the interval of its branch in a walk through the tree.
type Tree struct {
	accounts []Account
	branches []interval
	byID     map[int64]int
}

type interval struct {
	in, out int32
	depth   int32
	up      int32 // index of the parent, -1 for a root
}

// TreeFault says what is wrong with one account.
type TreeFault struct {
	Index   int // position in the list that NewTree was given
	Message string
}

// NewTree builds the tree. With faults there is no tree: an account without its parent must not
// make any branch larger or smaller than it reads.
func NewTree(accounts []Account, maxDepth int) (*Tree, []TreeFault) {
	t := &Tree{accounts: slices.Clone(accounts), byID: make(map[int64]int, len(accounts))}
	t.branches = make([]interval, len(accounts))
	var faults []TreeFault
	for i, a := range accounts {
		if _, twice := t.byID[a.ID]; twice {
			faults = append(faults, TreeFault{i, "an account with this id appears above"})
			continue
		}
		t.byID[a.ID] = i
	}
	children := make([][]int, len(accounts))
	for i, a := range accounts {
		switch p, found := t.byID[a.Parent]; {
		case a.Parent == 0:
			t.branches[i].up = -1
		case !found:
			faults = append(faults, TreeFault{i, fmt.Sprintf("the parent %d is not among the accounts", a.Parent)})
		default:
			t.branches[i].up = int32(p)
			children[p] = append(children[p], i)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	if faults = t.number(children, maxDepth); len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

// number walks the branches from the roots. An account that no walk reaches is in a cycle.
func (t *Tree) number(children [][]int, maxDepth int) (faults []TreeFault) {
	clock := int32(0)
	var walk func(i int, depth int32)
	walk = func(i int, depth int32) {
		clock++
		t.branches[i].in, t.branches[i].depth = clock, depth
		if int(depth) == maxDepth+1 {
			faults = append(faults, TreeFault{i, "the account lies deeper than policy.max_depth allows"})
		}
		// Below the fault nothing is walked: one message is enough, and the depth of a walk stays
		// bounded.
		if int(depth) <= maxDepth {
			for _, c := range children[i] {
				walk(c, depth+1)
			}
		}
		t.branches[i].out = clock
	}
	for i, a := range t.accounts {
		if a.Parent == 0 {
			walk(i, 1)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	for i := range t.accounts {
		if t.branches[i].in == 0 {
			faults = append(faults, TreeFault{i, "the account is its own ancestor"})
		}
	}
	return faults
}

// Contains reports whether cid is in the branch of top; AtRoots is in that of a root. An account that is not in the tree is in no
// branch and has none.
func (t *Tree) Contains(top, cid int64) bool {
	if t == nil {
		return false
	}
	a, foundTop := t.byID[top]
	if top == cid {
		return foundTop // the common case: a token in its own scope
	}
	b, found := t.byID[cid]
	if cid == AtRoots {
		return foundTop && t.accounts[a].Parent == 0
	}
	return foundTop && found && t.branches[a].in <= t.branches[b].in && t.branches[b].in <= t.branches[a].out
}

// Root reports whether cid is a root of the tree.
func (t *Tree) Root(cid int64) bool {
	a, found := t.Account(cid)
	return found && a.Parent == 0
}

// Account returns the account called id.
func (t *Tree) Account(id int64) (Account, bool) {
	i, found := t.Ordinal(id)
	if !found {
		return Account{}, false
	}
	return t.accounts[i], true
}

// Ordinal returns the position of an account in Accounts.
func (t *Tree) Ordinal(id int64) (n int, found bool) {
	if t == nil {
		return 0, false
	}
	n, found = t.byID[id]
	return n, found
}

// Accounts returns all accounts in the order given. It must not be changed.
func (t *Tree) Accounts() []Account {
	if t == nil {
		return nil
	}
	return t.accounts
}

// Leaves returns the accounts that have none below them.
func (t *Tree) Leaves() []int64 {
	var leaves []int64
	for i, s := range t.branches {
		if s.in == s.out {
			leaves = append(leaves, t.accounts[i].ID)
		}
	}
	return leaves
}

// Ancestors calls f with cid and every account above it, up to the root.
func (t *Tree) Ancestors(cid int64, f func(int64)) {
	if t == nil {
		return
	}
	i, found := t.byID[cid]
	if !found {
		return
	}
	for at := int32(i); at >= 0; at = t.branches[at].up {
		f(t.accounts[at].ID)
	}
}
