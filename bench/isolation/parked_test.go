package isolation

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// parked is a write whose body is half sent.
type parked struct {
	id, cid int64
	mark    string
	client  *Client
	rest    string
	status  int
}

// park sends a write but for the end of its body.
func (r *race) park(id, cid int64, mark string) *parked {
	body := fmt.Sprintf(`{"name":%q}`, mark)
	p := &parked{id: id, cid: cid, mark: mark, client: NewClient(r.rig.Clients[0].addr), rest: body[len(body)/2:]}
	if err := p.client.dial(); err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprintf(p.client.conn, "PUT /%s/%d HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nAuthorization: FlespiToken %s\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s",
		devices, id, r.tokens[cid].Key(), markHeader, mark, len(body), body[:len(body)/2])
	return p
}

// finish sends the end of the body and reads the answer.
func (p *parked) finish() error {
	defer p.client.Close()
	got, err := p.client.exchange(p.rest, "PUT")
	if err == nil {
		p.status = got.Status
	}
	return err
}

// without writes the policy anew, less the token of one account, and returns when that is in force.
func (r *race) without(g *Gateway, cid int64) {
	less := *r.rig.World
	less.Tokens = nil
	for _, t := range r.rig.World.Tokens {
		if t.CID != cid {
			less.Tokens = append(less.Tokens, t)
		}
	}
	var text strings.Builder
	if err := less.WritePolicy(&text); err != nil {
		r.t.Fatal(err)
	}
	next := filepath.Join(g.dir, "next.yaml")
	if err := os.WriteFile(next, []byte(text.String()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(g.dir, "policy.yaml")); err != nil {
		r.t.Fatal(err)
	}
	if err := syscall.Kill(g.PID(), syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, status := r.ask(r.rig.Clients[0], cid, one(r.through)); status == 401 {
			return
		}
	}
	r.t.Fatal("the revocation never came into force")
}

// What is judged before its body came is judged again when it is here: an item that was moved away,
// and a token that was revoked, reach nothing with it (SPEC 2, The moment of judgement). Others go
// on.
func TestParkedBodies(t *testing.T) {
	for _, mode := range []string{ModeIDs, ModeBoth, ModeHeader} {
		t.Run(mode, func(t *testing.T) {
			rounds := 3
			if *full {
				rounds = 100
			}
			r, g := newRace(t, mode, Settings{Refresh: 50 * time.Millisecond, MaxStaleness: 5 * time.Second})
			for round := range rounds {
				r.parkedRound(t, g, round, round == rounds-1)
			}
		})
	}
}

// parkedRound parks writes of both fleets, moves half of the items away, in the last round revokes
// fleet A too, and finishes the writes.
func (r *race) parkedRound(t *testing.T, g *Gateway, round int, last bool) {
	const writes = 60
	var all []*parked
	for i := range writes {
		id := r.through + int64(i)
		all = append(all, r.park(id, r.behind.Account(devices, id), fmt.Sprintf("parked-%d-%d", round, i)))
	}
	time.Sleep(50 * time.Millisecond)
	admin := client(t, g)
	moved := map[int64]bool{}
	for i := range writes / 2 {
		id := all[i].id
		move := Ask{Method: "PUT", Coll: devices, Sel: one(id), Sub: "cid", Body: &Body{CID: fleetA + fleetB - all[i].cid}}
		if got, err := admin.Do(r.tokens[operator], &move, "move"); err != nil || got.Status != 200 {
			t.Fatalf("%s: %v %v", move.String(), got, err)
		}
		moved[id] = true
	}
	if last {
		r.without(g, fleetA)
	}
	r.rig.Server.Take()
	var work sync.WaitGroup
	for _, p := range all {
		work.Go(func() {
			if err := p.finish(); err != nil && err != io.EOF {
				t.Errorf("%s: %v", p.mark, err)
			}
		})
	}
	work.Wait()
	arrived := map[string]int{}
	for _, q := range r.rig.Server.Take() {
		if name := q.Get(markHeader); q.Method == "PUT" && len(name) == 1 {
			arrived[name[0]]++
		}
	}
	for _, p := range all {
		revoked := last && p.cid == fleetA
		// Where only the backend knows accounts, it refuses what was moved.
		sent, passes := arrived[p.mark] > 0, !revoked && !moved[p.id]
		switch {
		case sent && revoked, sent && moved[p.id] && r.rig.World.Mode != ModeHeader:
			t.Errorf("LEAK: a write of fleet %d to device %d was done after its right had ended (moved: %v, revoked: %v)", p.cid, p.id, moved[p.id], revoked)
		case passes && (arrived[p.mark] != 1 || p.status != 200):
			t.Errorf("DENIED: a write of fleet %d to device %d: %d, done %d times", p.cid, p.id, p.status, arrived[p.mark])
		case !passes && p.status == 200 && r.rig.World.Mode != ModeHeader:
			t.Errorf("a write of fleet %d to device %d was answered 200", p.cid, p.id)
		}
	}
}
