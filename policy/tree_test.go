package policy_test

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

// TestTreeContains: two comparisons say the same as climbing.
func TestTreeContains(t *testing.T) {
	for seed := range uint64(300) {
		d, w := newDice(spread(seed)), newWorld()
		var accounts []policy.Account
		for id := range int64(d.n(12) + 1) {
			w.addAccount(id+1, int64(d.n(int(id)+1)))
			accounts = append(accounts, policy.Account{ID: id + 1, Parent: w.parent[id+1]})
		}
		tree, faults := policy.NewTree(accounts, 20)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		for top := range int64(14) {
			for cid := range int64(14) {
				want := w.parent[top] != 0 || slices.Contains(w.order, top)
				want = want && w.inBranch(top, cid)
				if got := tree.Contains(top, cid); got != want {
					t.Fatalf("%v: is %v in the branch of %v: got %v, want %v", w.parent, cid, top, got, want)
				}
			}
		}
		checkWalks(t, w, tree)
	}
}

func checkWalks(t *testing.T, w *world, tree *policy.Tree) {
	t.Helper()
	var leaves []int64
	for _, id := range w.order {
		leaf := true
		for _, parent := range w.parent {
			leaf = leaf && parent != id
		}
		if leaf {
			leaves = append(leaves, id)
		}
		var want, got []int64
		for at := id; at != 0; at = w.parent[at] {
			want = append(want, at)
		}
		tree.Ancestors(id, func(cid int64) { got = append(got, cid) })
		if !slices.Equal(got, want) {
			t.Errorf("ancestors of %v: got %v, want %v", id, got, want)
		}
		if got, want := tree.Root(id), w.parent[id] == 0; got != want {
			t.Errorf("is %v a root: got %v, want %v", id, got, want)
		}
	}
	if got := tree.Leaves(); !slices.Equal(slices.Sorted(slices.Values(got)), leaves) {
		t.Errorf("leaves: got %v, want %v", got, leaves)
	}
}

func TestTreeFaults(t *testing.T) {
	chain := []policy.Account{{ID: 1}, {ID: 2, Parent: 1}, {ID: 3, Parent: 2}, {ID: 4, Parent: 3}}
	rows := []struct {
		name     string
		accounts []policy.Account
		depth    int
		want     string // "" for none
		index    int
	}{
		{"as deep as may be", chain, 4, "", 0},
		{"one too deep", chain, 3, "deeper", 3},
		{"one message for all that is too deep", chain, 1, "deeper", 1},
		{"several roots", []policy.Account{{ID: 1}, {ID: 2}}, 4, "", 0},
		{"twice", []policy.Account{{ID: 1}, {ID: 1}}, 4, "above", 1},
		{"no parent", []policy.Account{{ID: 1}, {ID: 2, Parent: 9}}, 4, "parent", 1},
		{"cycle", []policy.Account{{ID: 1, Parent: 2}, {ID: 2, Parent: 1}}, 4, "ancestor", 0},
		{"its own parent", []policy.Account{{ID: 1}, {ID: 2, Parent: 2}}, 4, "ancestor", 1},
		{"below a cycle", []policy.Account{{ID: 5}, {ID: 1, Parent: 2}, {ID: 2, Parent: 1}, {ID: 3, Parent: 1}}, 4, "ancestor", 1},
		{"none", nil, 4, "", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			tree, faults := policy.NewTree(row.accounts, row.depth)
			if row.want == "" {
				if tree == nil || len(faults) > 0 {
					t.Errorf("got %v, want a tree", faults)
				}
				return
			}
			if tree != nil || len(faults) == 0 || faults[0].Index != row.index || !strings.Contains(faults[0].Message, row.want) {
				t.Errorf("got %v, want %q at %v", faults, row.want, row.index)
			}
		})
	}
}

// TestNoTree: without a tree nobody has a branch.
func TestNoTree(t *testing.T) {
	var tree *policy.Tree
	if tree.Contains(1, 1) || tree.Root(1) {
		t.Error("no tree has a root or a branch")
	}
	if _, found := tree.Account(1); found || tree.Accounts() != nil {
		t.Error("no tree has accounts")
	}
	engine := policy.Engine{}
	if reason := engine.Scope(&policy.Input{Tree: tree, Token: &policy.Token{CID: 1}}); reason != policy.ForeignAccount {
		t.Errorf("got %v, want %v", reason, policy.ForeignAccount)
	}
}
