package mqtt

import (
	"bytes"

	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// copies drops what a broker without subscription identifiers sends more than once: it may send one
// copy of a message for each filter that matches, and nothing tells these from a message that was
// published again, but that they follow each other (SPEC 16.4.3). The zero value has seen nothing.
type copies struct {
	single bool   // the broker sends one copy: it has, where several filters match
	came   bool   // a further copy of the last message has come
	left   int    // how many may still come
	last   []byte // that message
	now    []byte // room for the next
}

// keptCopy is how many bytes are kept for comparing.
const keptCopy = 64 << 10

// again reports whether a message is a further copy of the one before. filters is how many at the broker
// match it. Retained messages come for each subscription when it is made, once.
func (c *copies) again(m *wire.Publish, filters int) bool {
	if m.Retain || c.left == 0 && (filters < 2 || c.single) {
		c.left = 0
		return false
	}
	c.now = append(append(append(c.now[:0], m.Topic...), 0), m.Payload...)
	for _, u := range m.Properties.User {
		c.now = append(append(append(append(c.now, 0), u.Name...), 0), u.Value...)
	}
	if c.left > 0 {
		if bytes.Equal(c.now, c.last) {
			c.left, c.came = c.left-1, true
			return true
		}
		c.single = c.single || !c.came
	}
	if c.left, c.came = 0, false; filters > 1 && !c.single {
		c.left = filters - 1
		c.last, c.now = c.now, c.last
	}
	if cap(c.last)+cap(c.now) > 2*keptCopy {
		c.now = nil
	}
	return false
}

// matching returns how many filters at the broker match a message.
func (t *table) matching(law *topic.Law, name []byte, account int64) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.printed {
		if law.Matches(p.filter, name, account) {
			n++
		}
	}
	return n
}
