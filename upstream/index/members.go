package index

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// groupMembers are the members that groups have in one collection. They are immutable but for what
// is remembered of questions. The zero value has never been read.
type groupMembers struct {
	began   time.Time // of the reading
	groups  []int64   // ascending
	runs    []uint32  // where the members of each begin; one more than groups
	members []int64   // ascending within a group
	asked   atomic.Pointer[askedMembers]
}

// askedMembers remembers the members of sets of groups: a token asks for the same set with
// every request.
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
	l := &groupMembers{members: make([]int64, len(pairs))}
	for i, p := range pairs {
		if i == 0 || p.group != pairs[i-1].group {
			l.groups = append(l.groups, p.group)
			l.runs = append(l.runs, uint32(i))
		}
		l.members[i] = p.member
	}
	l.runs = append(l.runs, uint32(len(pairs)))
	return l
}

// of returns the members of any of the groups, ascending. They are shared.
func (l *groupMembers) of(groups []int64) []int64 {
	if len(groups) == 1 {
		return l.run(groups[0])
	}
	asked := l.asked.Load()
	if asked != nil {
		for _, set := range asked.sets {
			if slices.Equal(set.groups, groups) {
				return set.members
			}
		}
	}
	set := groupSet{groups: slices.Clone(groups)}
	for _, g := range groups {
		set.members = append(set.members, l.run(g)...)
	}
	slices.Sort(set.members)
	set.members = slices.Compact(set.members)
	l.remember(asked, set)
	return set.members
}

// remember keeps a set, unless somebody else was faster: then the next question will.
func (l *groupMembers) remember(asked *askedMembers, set groupSet) {
	fresh := new(askedMembers)
	if asked != nil {
		fresh.sets = slices.Clone(asked.sets[max(0, len(asked.sets)-maxGroupSets+1):])
	}
	fresh.sets = append(fresh.sets, set)
	l.asked.CompareAndSwap(asked, fresh)
}

func (l *groupMembers) run(group int64) []int64 {
	n, found := slices.BinarySearch(l.groups, group)
	if !found {
		return nil
	}
	return slices.Clip(l.members[l.runs[n]:l.runs[n+1]])
}
