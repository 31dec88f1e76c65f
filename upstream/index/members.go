package index

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// groupMembers are the members that groups have in one collection. They are immutable but for the
// answers that they remember. The zero value has never been read.
type groupMembers struct {
	began   time.Time // of the reading
	groups  []int64   // ascending
	runs    []uint32  // where the members of each begin; one more than groups
	members []int64   // ascending within a group
	asked   atomic.Pointer[askedMembers]
}

// askedMembers remembers the members of sets of groups: a token asks for the same set with every
// request.
type askedMembers struct {
	sets []groupSet // the newest last
}

type groupSet struct{ groups, members []int64 }

// maxGroupSets bounds what is remembered; most installations have a handful of sets.
const maxGroupSets = 64

// pair is one row: an item is a member of a group.
type pair struct{ group, member int64 }

func newGroupMembers(pairs []pair) *groupMembers {
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.member, b.member))
	})
	pairs = slices.Compact(pairs)
	m := &groupMembers{members: make([]int64, len(pairs))}
	for i, p := range pairs {
		if i == 0 || p.group != pairs[i-1].group {
			m.groups = append(m.groups, p.group)
			m.runs = append(m.runs, uint32(i))
		}
		m.members[i] = p.member
	}
	m.runs = append(m.runs, uint32(len(pairs)))
	return m
}

// of returns the members of any of the groups, ascending. They are shared.
func (m *groupMembers) of(groups []int64) []int64 {
	if len(groups) == 1 {
		return m.run(groups[0])
	}
	asked := m.asked.Load()
	if asked != nil {
		for _, set := range asked.sets {
			if slices.Equal(set.groups, groups) {
				return set.members
			}
		}
	}
	set := groupSet{groups: slices.Clone(groups)}
	for _, g := range groups {
		set.members = append(set.members, m.run(g)...)
	}
	slices.Sort(set.members)
	set.members = slices.Compact(set.members)
	m.remember(asked, set)
	return set.members
}

// remember keeps a set, unless another caller was faster: then the next call will.
func (m *groupMembers) remember(asked *askedMembers, set groupSet) {
	fresh := new(askedMembers)
	if asked != nil {
		fresh.sets = slices.Clone(asked.sets[max(0, len(asked.sets)-maxGroupSets+1):])
	}
	fresh.sets = append(fresh.sets, set)
	m.asked.CompareAndSwap(asked, fresh)
}

func (m *groupMembers) run(group int64) []int64 {
	n, found := slices.BinarySearch(m.groups, group)
	if !found {
		return nil
	}
	return slices.Clip(m.members[m.runs[n]:m.runs[n+1]])
}
