package record

import (
	"sync"
	"testing"
)

func TestRingRemembersTheLast(t *testing.T) {
	ring := NewRing(2)
	ids := []ID{{1}, {2}, {3}}
	for i, id := range ids {
		ring.Add(&Record{Facts: Facts{ID: id, Status: 200 + i}})
	}
	var r Record
	if ring.Get(ids[0], &r) {
		t.Errorf("got %v, want the oldest forgotten", r.Status)
	}
	for i, id := range ids[1:] {
		if !ring.Get(id, &r) || r.Status != 201+i {
			t.Errorf("%v: got status %d, want %d", id, r.Status, 201+i)
		}
	}
}

func TestRingKnowsNoEmptyPlace(t *testing.T) {
	var r Record
	if NewRing(0).Get(ID{}, &r) {
		t.Error("got a record, want none")
	}
}

// A ring holds copies: the record is used for the next request at once.
func TestRingCopies(t *testing.T) {
	ring, r := NewRing(1), &Record{Facts: Facts{ID: ID{5}, Status: 200}}
	r.SetRefused([]byte("/a"))
	ring.Add(r)
	r.Reset()
	var got Record
	if !ring.Get(ID{5}, &got) || got.Status != 200 || string(got.AppendTarget(nil)) != "/a" {
		t.Errorf("got %v, want what was added", got)
	}
}

func TestRingUnderLoad(t *testing.T) {
	ring := NewRing(4096)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var r, got Record
			for i := range 500 {
				r.ID, r.Status = NewID(), i
				ring.Add(&r)
				if !ring.Get(r.ID, &got) || got.Status != i {
					t.Errorf("got status %d, want %d", got.Status, i)
				}
			}
		})
	}
	wg.Wait()
}
