package enginetest

import (
	"errors"
	"fmt"
	"testing"

	"aclgate/policy/store"
)

// PutCounted writes three accounts, of which two bear limits, and tokens that count and do not.
func PutCounted(w store.Writer) error {
	token := func(id, cid int64, more string) error {
		return w.Put(store.Tokens, id, fmt.Appendf(nil, `{"id":%d,"key_sha256":"%064x","cid":%d,"expire":4102444800,"access":{"type":3}%s}`, id, id, cid, more))
	}
	return errors.Join(
		w.Put(store.Accounts, 1, []byte(`{"id":1}`)),
		w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":1,"limit_id":7}`)),
		w.Put(store.Accounts, 3, []byte(`{"id":3,"parent":1,"name":"limit_id 9","limit_id":70}`)),
		w.Put(store.Limits, 7, []byte(`{"id":7,"cid":1}`)), w.Put(store.Limits, 70, []byte(`{"id":70,"cid":1}`)),
		token(1, 1, ``), token(2, 1, `,"user_id":5`), token(3, 1, `,"user_id":5,"created_by":2`), token(4, 2, `,"created_by":1`),
		token(5, 2, `,"user_id":0`), token(6, 3, `,"user_id":5,"created_by":0`),
	)
}

// WantCounted compares what is asked of these rows with what they say.
func WantCounted(t *testing.T, r store.Reader) {
	t.Helper()
	for limit, want := range map[int64]int64{7: 2, 70: 3} {
		if got, err := r.Bearer(limit); err != nil || got != want {
			t.Errorf("limit %d is account %d's, %v, want %d's", limit, got, err, want)
		}
	}
	_, err := r.Bearer(9)
	wantNoRow(t, "a limit of nobody", err)
	for _, row := range []struct {
		accounts []int64
		want     int64
	}{{[]int64{1}, 2}, {[]int64{2}, 2}, {[]int64{3}, 0}, {[]int64{1, 2, 3}, 4}, {[]int64{4}, 0}, {nil, 0}} {
		if got, err := r.CountTokens(row.accounts); err != nil || got != row.want {
			t.Errorf("tokens of %d: got %d, %v, want %d", row.accounts, got, err, row.want)
		}
	}
}

// counted: who bears a limit and which tokens count is seen in the transaction that changes it, and after it.
func counted(t *testing.T, e store.Engine) {
	write(t, e, "17", func(w store.Writer) error {
		err := PutCounted(w)
		WantCounted(t, w)
		return err
	})
	if err := e.View(ctx, func(r store.Reader) error { WantCounted(t, r); return nil }); err != nil {
		t.Fatal(err)
	}
	write(t, e, "17", func(w store.Writer) error {
		err := errors.Join(w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":1}`)), w.Delete(store.Tokens, 4))
		_, none := w.Bearer(7)
		wantNoRow(t, "a limit that was taken away", none)
		if n, count := w.CountTokens([]int64{2}); count != nil || n != 1 {
			t.Errorf("got %d tokens, %v, want 1", n, count)
		}
		return err
	})
}
