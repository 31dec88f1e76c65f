package enginetest

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"aclgate/policy/store"
)

// ManyOwners tests an engine that writes many owners of items together: of many items in one transaction everything is there, the last word on an item counts,
// what was written is read in the transaction, and who follows obeys it. Afterwards changes are named
// again; where nothing changes there is no revision.
func ManyOwners(t *testing.T, e store.Engine) {
	const n = 12_000
	head := write(t, e, "operator", func(w store.Writer) error {
		return errors.Join(put(w, store.Accounts, map[int64][]byte{1: account(1, 0), 2: account(2, 1)}), w.PutOwner(store.Owner{Collection: "gw/devices", ID: n, CID: 2}))
	})
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, Poll: time.Second, MaxStaleness: time.Minute, Replica: "follows", Logger: slog.New(slog.DiscardHandler)})
	follow := func() {
		t.Helper()
		if err := l.Follow(ctx); err != nil {
			t.Fatal(err)
		}
	}
	follow()
	all := func(w store.Writer) error {
		for id := range int64(n) {
			if err := w.PutOwner(store.Owner{Collection: "gw/devices", ID: id + 1, CID: 1}); err != nil {
				return err
			}
			if id > n-5 {
				if err := w.PutOwner(store.Owner{Collection: "gw/devices", ID: id + 1, CID: 2}); err != nil {
					return err
				}
			}
		}
		o, err := w.Owner("gw/devices", n)
		if err != nil || o.CID != 2 {
			t.Errorf("in the transaction: got %+v, %v", o, err)
		}
		return errors.Join(err, w.PutOwner(store.Owner{Collection: "gw/calcs", ID: 1, CID: 2}), w.PutOwner(store.Owner{Collection: "gw/devices", ID: n + 1, CID: 2}))
	}
	first := write(t, e, "operator", all)
	follow()
	of := map[int64]int{}
	for o := range l.Owners() {
		of[o.CID]++
	}
	if first.Rev == head.Rev || of[1] != n-4 || of[2] != 6 {
		t.Errorf("got %v items by account", of)
	}
	write(t, e, "operator", func(w store.Writer) error { return w.PutOwner(store.Owner{Collection: "gw/devices", ID: 5, CID: 2}) })
	if b := since(t, e, first.Rev); len(b.Changes) != 1 || len(b.Changes[0].IDs) != 1 || len(b.Rows) != 1 {
		t.Errorf("afterwards: got %+v", b)
	}
	if v, err := l.Verify(ctx); err != nil || len(v.BadRows) > 0 {
		t.Errorf("got %+v, %v", v, err)
	}
	same := func(w store.Writer) error {
		for id := int64(6); id <= n-4; id++ {
			if err := w.PutOwner(store.Owner{Collection: "gw/devices", ID: id, CID: 1}); err != nil {
				return err
			}
		}
		return nil
	}
	was := write(t, e, "operator", func(store.Writer) error { return nil })
	if now := write(t, e, "operator", same); now.Rev != was.Rev {
		t.Errorf("what was known made %d revisions", now.Rev-was.Rev)
	}
}
