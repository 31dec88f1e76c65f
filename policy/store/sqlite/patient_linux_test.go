package sqlite

import (
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"aclgate/policy/store"
)

// Who writes may be interrupted by whoever wakes up, for as long as the transaction lasts.
func TestWriterIsPatient(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slice := func() uint64 {
		a, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return a.Runtime
	}
	before := slice()
	if before == 0 {
		t.Skip("this kernel knows no slices: they are of Linux 6.12")
	}
	if a, err := unix.SchedGetAttr(0, 0); err != nil || unix.SchedSetAttr(0, a, 0) != nil {
		t.Skip("a sandbox forbids it")
	}
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	e, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var during uint64
	if _, err := e.Write(t.Context(), "a", func(w store.Writer) error {
		during = slice()
		return w.Put(store.Accounts, 1, []byte(`{"id":1}`))
	}); err != nil {
		t.Fatal(err)
	}
	if after := slice(); during != patientFor || after != before {
		t.Errorf("got slices of %d ns before, %d during and %d after a transaction, want %d during and the rest alike", before, during, after, patientFor)
	}
}
