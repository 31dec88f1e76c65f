package index

import (
	"cmp"
	"maps"
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

	// withheld are groups whose members may have changed since they were read: they have none until
	// a reading of that generation. minimum is the same for all groups.
	withheld map[int64]uint64
	minimum  uint64
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

// equal reports whether two hold the same.
func (m *groupMembers) equal(o *groupMembers) bool {
	return slices.Equal(m.groups, o.groups) && slices.Equal(m.runs, o.runs) && slices.Equal(m.members, o.members)
}

// maxWithheld bounds the groups that are withheld one by one.
const maxWithheld = 1 << 16

// withhold returns m without the members of some groups, until a reading of a generation. Of too many
// groups nothing is kept apart: then all have none.
func (m *groupMembers) withhold(groups []int64, generation uint64) *groupMembers {
	withheld := maps.Clone(m.withheld)
	if withheld == nil {
		withheld = map[int64]uint64{}
	}
	for _, g := range groups {
		withheld[g] = generation
	}
	if len(withheld) > maxWithheld {
		return &groupMembers{minimum: generation}
	}
	return m.without(withheld, m.minimum)
}

// after returns what a reading of a generation shows, where m was known before: what is withheld
// until a later one stays so. It returns m if the reading shows nothing that counts.
func (m *groupMembers) after(read *groupMembers, generation uint64) *groupMembers {
	if generation < m.minimum {
		return m
	}
	withheld := maps.Clone(m.withheld)
	maps.DeleteFunc(withheld, func(_ int64, until uint64) bool { return until <= generation })
	if len(withheld) == 0 {
		return read
	}
	return read.without(withheld, m.minimum)
}

// without returns m with groups that have no members.
func (m *groupMembers) without(withheld map[int64]uint64, minimum uint64) *groupMembers {
	var pairs []pair
	for i, g := range m.groups {
		if _, is := withheld[g]; is {
			continue
		}
		for _, id := range m.members[m.runs[i]:m.runs[i+1]] {
			pairs = append(pairs, pair{g, id})
		}
	}
	l := newGroupMembers(pairs)
	l.began, l.withheld, l.minimum = m.began, withheld, minimum
	return l
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
