package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestSelectionsAreRight compares what is remembered with what is made anew, for entries that
// differ in everything that a choice can depend on.
func TestSelectionsAreRight(t *testing.T) {
	cat, err := NewCatalogue([]*Collection{
		{URI: "gw/devices", IDs: IDInt, Routes: []*Route{{Path: "/{}", Methods: Methods(GET, PUT)}, {Path: "/{}/settings", Methods: Methods(GET)}}},
		{URI: "gw/calcs", IDs: IDInt, Routes: []*Route{{Path: "/{}", Methods: Methods(GET)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		entries := make([]Entry, dice.IntN(4))
		for i := range entries {
			e := Entry{URI: []string{"gw", "gw/devices", "gw/calcs"}[dice.IntN(3)], Methods: MethodSet(dice.IntN(64)), Rule: IDRule(dice.IntN(4)), Line: dice.IntN(9)}
			if e.HasSubmodules = dice.IntN(2) == 0; e.HasSubmodules {
				e.Submodules = []Submodule{{Name: "settings", Methods: MethodSet(dice.IntN(64))}}[:dice.IntN(2)]
			}
			entries[i] = e
		}
		if got, want := NewACL(entries, cat).selection.rows, newSelection(entries, cat).rows; !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: got %v, want %v", entries, got, want)
		}
	}
	if n := len(cat.selections.byShape); n == 0 || n > maxSelections {
		t.Errorf("got %d selections, want at most %d", n, maxSelections)
	}
}

func TestSelectionsAreShared(t *testing.T) {
	cat, err := NewCatalogue([]*Collection{{URI: "gw/devices", IDs: IDInt, Routes: []*Route{{Path: "/{}", Methods: Methods(GET)}}}})
	if err != nil {
		t.Fatal(err)
	}
	of := func(id int64, name string) *selection {
		e := Entry{URI: "gw/devices", Methods: Methods(GET), Rule: IDsList, IDs: NewIDSet([]int64{id}), Line: int(id), HasSubmodules: true}
		for i := range len(name) / 10 {
			e.Submodules = append(e.Submodules, Submodule{Name: fmt.Sprintf("%010d", i)})
		}
		return NewACL([]Entry{e}, cat).selection
	}
	if of(1, "") != of(2, "") {
		t.Error("entries that differ in their ids have two selections")
	}
	long := string(make([]byte, maxShapeBytes))
	if of(1, long).shared || len(cat.selections.byShape) != 1 {
		t.Error("a shape beyond the bound is remembered")
	}
}

func TestShortSets(t *testing.T) {
	for n := range 12 {
		for _, first := range []int64{1, 1_000_000, MaxID - 12} {
			ids := make([]int64, n)
			for i := range ids {
				ids[i] = first + int64(n-i) // descending
			}
			s := NewIDSet(ids)
			if s.Len() != n || cap(s.IDs()) != n || cap(s.Text()) != len(s.Text()) {
				t.Fatalf("%d ids from %d: got %d in room for %d, text of %d in room for %d", n, first, s.Len(), cap(s.IDs()), len(s.Text()), cap(s.Text()))
			}
			again, ok := parseIDs(nil, s.Text())
			if n > 0 && (!ok || !reflect.DeepEqual(again, s.IDs()) || !ascending(again)) {
				t.Errorf("got %s for %v", s.Text(), ids)
			}
		}
	}
}
