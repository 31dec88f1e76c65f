package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// FuzzOwners compares the table of owners with a plain map.
func FuzzOwners(f *testing.F) {
	f.Add([]byte("abcabdaxyaab\x00\x01\x02"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		var table ownerTable
		rows := map[int64]Owner{}
		names := []string{"gw/devices", "gw/streams", "gw/calcs"}
		for ; len(ops) >= 3; ops = ops[3:] {
			n, o := int64(ops[0]%64+1), Owner{names[ops[1]%3], int64(ops[1]/3 + 1), int64(ops[2]%5 + 1)}
			if ops[2] >= 200 {
				was, found := table.remove(n)
				if want, there := rows[n]; found != there || was != want {
					t.Fatalf("row %d: removed %+v, %t, want %+v, %t", n, was, found, want, there)
				}
				delete(rows, n)
				continue
			}
			for other, p := range rows {
				if p.Collection == o.Collection && p.ID == o.ID {
					delete(rows, other)
				}
			}
			rows[n] = o
			table.put(n, o)
		}
		if len(table.rows) != len(rows) {
			t.Fatalf("got %d rows, want %d", len(table.rows), len(rows))
		}
		for n, o := range rows {
			i := table.find(table.collection(o.Collection, false), o.ID)
			if i < 0 || table.owner(i) != o || table.rows[i].n() != n {
				t.Fatalf("row %d: got place %d, want %+v", n, i, o)
			}
		}
	})
}

// A million owners take no more than what a reader of the documentation is told.
func TestAMillionOwners(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table := new(ownerTable)
	for n := int64(1); n <= 1_000_000; n++ {
		o, err := readOwner(n, fmt.Appendf(nil, `{"collection":"gw/devices","id":%d,"cid":%d}`, n*7, n%1000+1))
		if err != nil {
			t.Fatal(err)
		}
		table.put(n, o)
	}
	for range 1000 {
		if n := rand.Int64N(1_000_000) + 1; table.find(0, n*7) < 0 || table.find(0, n*7+1) >= 0 {
			t.Fatalf("item %d is not found, or one that is not there is", n*7)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / 1_000_000
	t.Logf("%d bytes for each", each)
	if each > 64 {
		t.Errorf("an owner takes %d bytes", each)
	}
	runtime.KeepAlive(table)
}

func TestRowsOfItemsThatDoNotRead(t *testing.T) {
	for _, doc := range []string{``, `[]`, `{}`, `{"collection":"gw/devices","id":7}`, `{"collection":"","id":7,"cid":1}`, `{"collection":"gw/devices","id":-7,"cid":1}`, `{"collection":"gw/devices","id":"7","cid":1}`} {
		if o, err := readOwner(1, []byte(doc)); err == nil {
			t.Errorf("%s: got %+v", doc, o)
		}
	}
	doc, err := json.Marshal(Owner{"gw/devices", 7, 1})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := readOwner(1, doc); err != nil || o != (Owner{"gw/devices", 7, 1}) {
		t.Errorf("got %+v, %v", o, err)
	}
}
