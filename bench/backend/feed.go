package backend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// message is one posted message: its fields, and the time that from and to compare with.
type message struct {
	fields []field
	at     float64
}

const (
	// maxPosted bounds the messages kept per item; older ones are dropped.
	maxPosted = 1000
	// Made-up times have ten digits, so all rows of a template are of one length and the size of an
	// answer is known before it is written.
	firstTime = 1700000000
	minTime   = 1000000000
	maxTime   = 9999999999
)

// timeRange is what data= asks of messages and logs.
type timeRange struct {
	Count   int64   `json:"count"`
	Reverse bool    `json:"reverse"`
	From    float64 `json:"from"`
	To      float64 `json:"to"` // 0: open
	Fields  string  `json:"fields"`
}

var errRange = errors.New("wrong data")

func (c *call) timeRange() (timeRange, error) {
	var r timeRange
	raw := []byte(c.query.data)
	if len(raw) == 0 {
		raw = c.body
	}
	if len(raw) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(raw, &r); err != nil || r.Count < 0 {
		return r, fmt.Errorf("%w: count, reverse, from, to, fields", errRange)
	}
	return r, nil
}

// messages answers for messages and logs. Messages are those posted; a count beyond them is filled
// up with made-up ones, evenly over the items. Logs are made up only.
func (c *call) messages(items []*item) {
	logs := c.rest[1] == "logs"
	switch {
	case c.method == post && !logs:
		c.post(items)
	case c.method == "DELETE":
		for _, it := range items {
			delete(c.w.posted, itemKey{c.coll.uri, it.id})
		}
	case c.method == get:
		r, err := c.timeRange()
		if err != nil {
			c.bad(err)
			return
		}
		if c.query.fields != "" && r.Fields == "" {
			r.Fields = c.query.fields
		}
		c.out.stream = c.feed(items, r, logs)
	}
}

// post stores the body's objects for each item.
func (c *call) post(items []*item) {
	c.each(items, func(id int64, obj map[string]any) error { return c.w.post(itemKey{c.coll.uri, id}, obj) })
}

// Post stores messages of an item, oldest first. Whether it exists is not asked; timestamp is the
// time that from and to of a reader compare with.
func (w *World) Post(uri string, id int64, messages ...Fields) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		if err := w.post(itemKey{uri, id}, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) post(at itemKey, m Fields) error {
	fields, err := makeFields(m)
	if err != nil {
		return err
	}
	when, _ := asFloat(lookup(fields, "timestamp"))
	all := append(w.posted[at], message{fields, when})
	w.posted[at] = slices.Delete(all, 0, max(len(all)-maxPosted, 0))
	return nil
}

// feed writes the body of a stream of messages without ever holding it.
type feed struct {
	s      *Server
	head   []byte    // everything before the first made-up row
	rows   []mock    // one per item
	shares []int64   // how many of each are still to come
	at     int64     // time of the next row
	step   int64     // 1, or -1 when reversed
	comma  bool      // a row was written before
	state  feedState // what comes next
	chunk  []byte    // made by fill, reused
	unread []byte    // the part of chunk that Read has not returned yet
}

type feedState uint8

const (
	feedHead feedState = iota
	feedRows
	feedEnd
)

// feed prepares the stream: posted messages are printed now, under the lock.
func (c *call) feed(items []*item, r timeRange, logs bool) *feed {
	f := &feed{s: c.s, at: firstTime, step: 1}
	if r.From > 0 {
		f.at = int64(r.From)
	}
	if r.Reverse {
		f.step = -1
		f.at = firstTime + r.Count
		if r.To > 0 {
			f.at = int64(r.To)
		}
	}
	shown := parseFields(r.Fields)
	left := r.Count
	f.head = c.out.opening(nil)
	start := len(f.head)
	for _, it := range items {
		f.rows = append(f.rows, newMock(c.coll.key, it, logs, &shown))
		if logs {
			continue
		}
		for _, m := range c.posted(it.id, r) {
			if r.Count > 0 && left == 0 {
				break
			}
			left--
			if len(f.head) > start {
				f.head = append(f.head, ',')
			}
			f.head = shown.appendObject(f.head, m.fields)
		}
	}
	f.comma = len(f.head) > start
	f.share(max(left, 0), r)
	return f
}

// posted returns the messages of an item inside the range, in its order.
func (c *call) posted(id int64, r timeRange) []message {
	var out []message
	for _, m := range c.w.posted[itemKey{c.coll.uri, id}] {
		if m.at >= r.From && (r.To == 0 || m.at <= r.To) {
			out = append(out, m)
		}
	}
	if r.Reverse {
		slices.Reverse(out)
	}
	return out
}

// share divides n made-up rows among the items, within the range of times.
func (f *feed) share(n int64, r timeRange) {
	room := maxTime - f.at + 1
	if f.step < 0 {
		room = f.at - max(minTime, int64(r.From)) + 1
	} else if r.To > 0 {
		room = min(room, int64(r.To)-f.at+1)
	}
	if f.at < minTime || f.at > maxTime {
		room = 0
	}
	n = max(min(n, room), 0)
	f.shares = make([]int64, len(f.rows))
	for i := range f.shares {
		rest := int64(len(f.shares) - i)
		f.shares[i] = n / rest
		n -= f.shares[i]
	}
}

// size is the length of everything that the feed will write.
func (f *feed) size() int64 {
	n := int64(len(f.head) + len(closing))
	rows := int64(0)
	for i := range f.rows {
		n += f.shares[i] * int64(len(f.rows[i].text))
		rows += f.shares[i]
	}
	if n += rows; rows > 0 && !f.comma {
		n-- // the first row has no comma before it
	}
	return n
}

// fill makes the next chunk; it is empty at the end.
func (f *feed) fill() []byte {
	out := f.chunk[:0]
	if f.state == feedHead {
		out = append(out, f.head...)
		f.state = feedRows
	}
	for f.state == feedRows && len(out) < f.s.opt.ChunkBytes {
		if len(f.rows) == 0 {
			out = append(out, closing...)
			f.state = feedEnd
			break
		}
		if f.shares[0] == 0 {
			f.rows, f.shares = f.rows[1:], f.shares[1:]
			continue
		}
		f.shares[0]--
		if f.comma {
			out = append(out, ',')
		}
		f.comma = true
		out = f.rows[0].appendRow(out, f.at)
		f.at += f.step
	}
	f.chunk = out
	return out
}

// SupportsBodyWriteTo makes fasthttp call WriteTo, which writes chunks of our size instead of its
// own 4 KiB ones.
func (f *feed) SupportsBodyWriteTo() bool { return true }

// WriteTo writes the whole body, pausing between chunks where the options say so.
func (f *feed) WriteTo(w io.Writer) (int64, error) {
	total := int64(0)
	for {
		chunk := f.fill()
		if len(chunk) == 0 {
			return total, nil
		}
		if d := f.s.opt.ChunkDelay; total > 0 && d > 0 && !f.s.pause(d) {
			return total, errClosed
		}
		n, err := w.Write(chunk)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// Read is the same for callers that do not use WriteTo, as fasthttp when it answers HTTP/1.0.
func (f *feed) Read(p []byte) (int, error) {
	if len(f.unread) == 0 {
		f.unread = f.fill()
	}
	if len(f.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.unread)
	f.unread = f.unread[n:]
	return n, nil
}
