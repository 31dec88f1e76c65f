package policy

import "slices"

// cursor walks a set beside ids that are asked for. As long as they come in ascending order, which
// is what clients send, it only ever steps forward and a long list costs one merge; an id out of
// order falls back to a search.
type cursor struct {
	set  []int64
	next int   // behind the last id that was found
	last int64 // asked for
}

// has reports whether id is in the set.
func (c *cursor) has(id int64) bool {
	if c.next < len(c.set) && c.set[c.next] == id {
		c.next++
		c.last = id
		return true
	}
	if id <= c.last {
		_, found := slices.BinarySearch(c.set, id)
		return found
	}
	c.last = id
	if c.next < len(c.set) && c.set[c.next] < id {
		c.gallop(id)
	}
	if c.next == len(c.set) || c.set[c.next] != id {
		return false
	}
	c.next++
	return true
}

// gallop steps to the first id that is not below id: a short list against a long set must not walk
// the set.
func (c *cursor) gallop(id int64) {
	step := 1
	for c.next+step < len(c.set) && c.set[c.next+step] < id {
		c.next += step
		step <<= 1
	}
	i, _ := slices.BinarySearch(c.set[c.next:min(c.next+step, len(c.set))], id)
	c.next += i
}

// run returns how many of ids, from the first on, are in the set.
func (c *cursor) run(ids []int64) int {
	for i := 0; i < len(ids); {
		set, n := c.set[c.next:], i
		for i < len(ids) && i-n < len(set) && set[i-n] == ids[i] {
			i++
		}
		if i > n {
			c.next, c.last = c.next+i-n, ids[i-1]
		} else if c.has(ids[i]) {
			i++
		} else {
			return i
		}
	}
	return len(ids)
}
