package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

// childDatabase names the database that this process, a child of TestKilledWhileWriting, writes to.
const childDatabase = "ACLGATE_TEST_DATABASE"

// TestChildWrites writes tokens until it is killed, and says each that Write has acknowledged.
func TestChildWrites(t *testing.T) {
	path := os.Getenv(childDatabase)
	if path == "" {
		t.Skip("it is the child of another test")
	}
	e, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var id int64
		_, err := e.Write(context.Background(), "child", func(w store.Writer) (err error) {
			if id, err = w.NewID(store.Tokens); err != nil {
				return err
			}
			return w.Put(store.Tokens, id, enginetest.Token(id, 1, "a"))
		})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("wrote " + strconv.FormatInt(id, 10) + "\n")
	}
}

// A process that is killed while it writes has lost nothing that it acknowledged, torn nothing, and
// left no gap. (That a commit survives the end of the machine, this cannot show.)
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	kills := 12
	if testing.Short() {
		kills = 3
	}
	path := filepath.Join(t.TempDir(), "killed.db")
	if _, err := Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[int64]bool{}
	for round := range kills {
		for _, id := range untilKilled(t, path, time.Duration(50+17*round)*time.Millisecond) {
			if acknowledged[id] {
				t.Fatalf("id %d was given twice", id)
			}
			acknowledged[id] = true
		}
		checkWhole(t, path, acknowledged)
	}
	if len(acknowledged) < kills {
		t.Errorf("%d changes were acknowledged in %d rounds: nothing was tested", len(acknowledged), kills)
	}
	t.Logf("%d kills, %d acknowledged changes", kills, len(acknowledged))
}

// untilKilled runs a child, kills it a while after its first change, and returns what it said.
func untilKilled(t *testing.T, path string, after time.Duration) (ids []int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildWrites$")
	cmd.Env = append(os.Environ(), childDatabase+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, rest := bufio.NewScanner(out), strings.Builder{}
	for lines.Scan() {
		text, said := strings.CutPrefix(lines.Text(), "wrote ")
		id, err := strconv.ParseInt(text, 10, 64)
		if !said || err != nil {
			fmt.Fprintln(&rest, lines.Text())
			continue
		}
		if ids = append(ids, id); len(ids) == 1 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait() // it was killed
	if len(ids) == 0 {
		t.Fatalf("the child wrote nothing: %s", rest.String())
	}
	return ids
}

// checkWhole opens the database as the next process would, and looks for every acknowledged change.
func checkWhole(t *testing.T, path string, acknowledged map[int64]bool) {
	t.Helper()
	e, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if faults, err := e.Verify(t.Context()); err != nil || len(faults) > 0 {
		t.Fatalf("after a kill: %v, %v", faults, err)
	}
	there := map[int64]bool{}
	head, _, err := e.All(t.Context(), func(r store.Row) error { there[r.ID] = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("token %d was acknowledged and is gone", id)
		}
	}
	rev := int64(0)
	err = e.Changes(t.Context(), store.ChangeQuery{Limit: 1 << 30}, func(c store.Change) error {
		if rev++; c.Rev != rev || c.Actor != "child" {
			t.Errorf("change %d has revision %d and actor %q", rev, c.Rev, c.Actor)
		}
		return nil
	})
	if err != nil || rev != head.Rev || int(rev) != len(there) {
		t.Errorf("%d changes, head %d, %d rows, %v", rev, head.Rev, len(there), err)
	}
}
