package store

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"

	"aclgate/policy"
)

// plainTokens is the other opinion of what a writable holds: a map, and a search through it.
type plainTokens map[int64]*Record

func (p plainTokens) find(d policy.Digest) *Record {
	for _, rec := range p {
		if rec.Token.Digest == d {
			return rec
		}
	}
	return nil
}

// tokenOf makes a token of a few bytes. Few keys and few slots of the index are in use, so that
// tokens meet.
func tokenOf(id int64, shape byte) *Record {
	d := policy.Digest{0: shape & 7, 8: shape & 1}
	rec := &Record{Token: policy.Token{ID: id, Digest: d, CID: 1, Enabled: shape&8 != 0, Expire: int64(shape), Access: policy.Master}}
	if shape&16 != 0 {
		rec.Token.Access, rec.Token.TTL, rec.Token.Created = policy.ACLAccess, 5, 1
		rec.Entries = []policy.Entry{{URI: "gw", Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{int64(shape) + 1}), Methods: policy.MethodSet(shape)}}
	}
	return rec
}

// checkWritable plays changes on both, and compares them after each.
func checkWritable(t *testing.T, ops []byte) {
	w, plain := newWritable(), plainTokens{}
	counters := map[int64]*atomic.Int64{}
	w.counter = func(id int64) *atomic.Int64 {
		if counters[id] == nil {
			counters[id] = new(atomic.Int64)
		}
		return counters[id]
	}
	for ; len(ops) >= 2; ops = ops[2:] {
		id, shape := int64(ops[0]&31)+1, ops[1]
		rec := tokenOf(id, shape)
		before := present(w.policy.tokens)
		var moved bool
		w.room(1, func() {})()
		switch holder := plain.find(rec.Token.Digest); {
		case ops[0]&0x60 == 0x60:
			moved = w.remove(id)
			delete(plain, id)
		case holder != nil && holder.Token.ID != id:
			// In the database this key is taken, but a key may go from one token to another in one
			// batch, of which this one comes first.
			moved = w.put(rec)
			plain[id] = rec
			moved = w.remove(holder.Token.ID) || moved
			delete(plain, holder.Token.ID)
		default:
			moved = w.put(rec)
			plain[id] = rec
		}
		if present(w.policy.tokens) != before && !moved {
			t.Fatal("the access types changed, and nobody was told")
		}
		compareTokens(t, w, plain)
		if ops[0]&0x80 != 0 { // as compact does
			fresh := newWritable()
			fresh.counter = w.counter
			fresh.copyOf(w, func() {})
			if fresh.dead != 0 || fresh.size > w.size {
				t.Fatalf("a copy has %d dead of %d bytes, of %d", fresh.dead, fresh.size, w.size)
			}
			w = fresh
		}
	}
}

func compareTokens(t *testing.T, w *writable, plain plainTokens) {
	t.Helper()
	for key := range byte(8) {
		for low := range byte(2) {
			d := policy.Digest{0: key, 8: low}
			got, want := w.policy.Find(d), plain.find(d)
			if got != nil && got.Token.TTL > 0 {
				if got.Token.Used != w.counter(got.Token.ID) {
					t.Fatalf("token %d counts its last use in the place of another one", got.Token.ID)
				}
				got.Token.Used = nil
			}
			if want == nil != (got == nil) || want != nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("key %v: got %+v, want %+v", d[:9], got, want)
			}
		}
	}
	n := 0
	w.each(func(rec *Record) {
		n++
		if plain[rec.Token.ID] == nil {
			t.Fatalf("token %d is still there", rec.Token.ID)
		}
	})
	live := 0
	for _, rec := range plain {
		if d, found := w.digestOf(rec.Token.ID); !found || d != rec.Token.Digest {
			t.Fatalf("token %d has the digest %v, %v", rec.Token.ID, d[:9], found)
		}
		live++
	}
	if n != live || w.policy.Len() != live {
		t.Fatalf("got %d tokens, counted %d, want %d", n, w.policy.Len(), live)
	}
}

func FuzzWritable(f *testing.F) {
	f.Add([]byte{0, 0x11, 0x61, 0, 1, 0x11, 0x81, 0x12})
	f.Fuzz(func(t *testing.T, ops []byte) { checkWritable(t, ops[:min(len(ops), 600)]) })
}

func TestWritableAgainstAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		ops := make([]byte, 400)
		for i := 0; i < len(ops); i += 8 {
			binary.LittleEndian.PutUint64(ops[i:], random.Uint64())
		}
		checkWritable(t, ops)
	}
}

// A token that changes for ever takes no room for ever, and finding it takes no longer.
func TestOneTokenManyTimes(t *testing.T) {
	w := newWritable()
	for i := range 200_000 {
		rec := tokenOf(1, 16)
		binary.LittleEndian.PutUint64(rec.Token.Digest[:], uint64(i)*0x9E3779B97F4A7C15)
		w.put(rec)
		if w.worn() {
			fresh := newWritable()
			fresh.copyOf(w, func() {})
			w = fresh
		}
	}
	if len(w.policy.digests.slots) > 8 || w.size > 2*wornBytes {
		t.Errorf("one token takes %d slots and %d bytes", len(w.policy.digests.slots), w.size)
	}
}

// A copy is as its original, and is made in room that never grows: in a table that grew while tokens
// come in the order of their slots, the time of a copy was the square of their number.
func TestCopyOf(t *testing.T) {
	for _, n := range []int64{0, 1, 5, 6, 1000} {
		l := liveOf(n)
		fresh := l.newTokens()
		var room *uint64
		fresh.copyOf(l.tokens, func() {
			if room == nil {
				room = &fresh.ids.slots[0]
			}
			if room != &fresh.ids.slots[0] {
				t.Errorf("%d tokens: the room grew", n)
			}
		})
		if got := fresh.policy.Len(); got != int(n) {
			t.Errorf("got %d tokens, want %d", got, n)
		}
		if ids := differing(l.tokens, fresh); len(ids) > 0 {
			t.Errorf("%d tokens: %v differ in the copy", n, ids)
		}
	}
}

// Tables grow beside those in use: whoever puts a token in waits for none of it.
func TestRoom(t *testing.T) {
	w, grown := newWritable(), 0
	w.counter = func(int64) *atomic.Int64 { return new(atomic.Int64) }
	for id := int64(1); id <= 1000; id += 10 {
		install := w.room(10, func() { grown++ })
		for known := int64(1); known < id; known++ {
			if w.ids.withID(known) == nil {
				t.Fatalf("token %d is not found while the tables grow", known)
			}
		}
		install()
		ids, digests, lasts := len(w.ids.slots), len(w.policy.digests.slots), cap(w.policy.lasts)
		for more := range int64(10) {
			rec := tokenOf(id+more, 16)
			binary.LittleEndian.PutUint64(rec.Token.Digest[:], uint64(id+more))
			w.put(rec)
		}
		if len(w.ids.slots) != ids || len(w.policy.digests.slots) != digests || cap(w.policy.lasts) != lasts {
			t.Fatalf("with %d tokens a table grew after it had room", id)
		}
		for known := int64(1); known < id+10; known++ {
			record := w.ids.withID(known)
			if record == nil {
				t.Fatalf("token %d is lost", known)
			}
			if d := policy.Digest(record[:32]); w.policy.Find(d) == nil {
				t.Fatalf("token %d is not found by its digest", known)
			}
		}
	}
	if grown == 0 {
		t.Error("nothing grew")
	}
}
