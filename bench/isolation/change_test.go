package isolation

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"aclgate/bench/backend"
)

// The accounts of a world of two fleets below one operator.
const (
	operator = 1
	fleetA   = 11
	fleetB   = 12
)

// fleets is a world of two fleets, one of which owns the even devices, with a token of each, one of
// the operator, and one of fleet A that has its rights by groups.
func fleets(devicesOfBoth int) (w *World, byAccount map[int64]*Token, member *Token) {
	w = NewWorld(Size{}, 1)
	w.Parents = map[int64]int64{operator: 0, fleetA: operator, fleetB: operator}
	w.accounts = []int64{operator, fleetA, fleetB}
	for i := range devicesOfBoth {
		w.Add(devices, int64(firstID+1+i), Item{CID: fleetB - int64(i%2), Color: 1})
	}
	w.Add(groups, firstID+1, Item{CID: fleetA})
	byAccount = map[int64]*Token{}
	for i, cid := range w.accounts {
		byAccount[cid] = &Token{ID: int64(i + 1), CID: cid, Access: standard}
		w.Tokens = append(w.Tokens, byAccount[cid])
	}
	byAccount[operator].Access = master
	member = &Token{ID: 9, CID: fleetA, Access: aclType, Entries: []Entry{{URI: groups, Methods: []string{"GET"}, IDs: idsAll}}}
	w.Tokens = append(w.Tokens, member)
	return w, byAccount, member
}

// race is a world that changes while requests run.
type race struct {
	t       *testing.T
	rig     *Rig
	behind  *backend.World
	tokens  map[int64]*Token
	history *History
	stale   time.Duration // grace for what changes without passing the gateway
	through int64         // ids from here on only change through the gateway
	done    chan struct{}
	leaked  sync.Once
	rng     *rand.Rand
}

func newRace(t *testing.T, mode string, s Settings) (*race, *Gateway) {
	w, tokens, _ := fleets(400)
	s.Mode = mode
	g, rig, behind := start(t, w, options(mode), s)
	ready(t, g)
	return &race{t: t, rig: rig, behind: behind, tokens: tokens, history: NewHistory(w.Items[devices]), stale: s.MaxStaleness,
		through: firstID + 201, done: make(chan struct{}), rng: rand.New(rand.NewPCG(*seed, 2))}, g
}

// ask sends a request of a fleet for all or one device and returns the ids that it shows.
func (r *race) ask(c *Client, cid int64, s Selector) (ids map[int64]bool, status int) {
	got, err := c.Do(r.tokens[cid], &Ask{Method: "GET", Coll: devices, Sel: s}, "race")
	if err != nil {
		r.t.Error(err)
		return nil, 0
	}
	var seen served
	if err := json.Unmarshal(got.Body, &seen); err != nil {
		r.t.Error(err)
	}
	ids = map[int64]bool{}
	for _, row := range seen.Result {
		ids[number(row["id"])] = true
	}
	return ids, got.Status
}

// read asks for everything again and again. Nothing may be shown that the fleet did not have at any
// time since the request began or, if it did not pass the gateway, since the oldest page that may
// count.
func (r *race) read(c *Client, cid int64) {
	for {
		select {
		case <-r.done:
			return
		default:
		}
		began := time.Now()
		ids, _ := r.ask(c, cid, Selector{Form: selAll})
		for id := range ids {
			grace := time.Duration(0)
			if id < r.through {
				grace = r.stale
			}
			if made := cid == fleetB && !r.history.Knows(id); !made && !r.history.Had(id, cid, began.Add(-grace)) {
				r.leaked.Do(func() { r.t.Errorf("LEAK: fleet %d was shown device %d after it was taken", cid, id) })
			}
		}
	}
}

// one is the selector of a single id.
func one(id int64) Selector { return Selector{Form: selIDs, IDs: []int64{id}} }

// Items change through the gateway and past it, while both fleets read without pause and the index
// is read without pause: an old page must not give back what was taken.
func TestNoAccessAfterAChange(t *testing.T) {
	rounds := 12
	if *long {
		rounds = 40
	}
	for _, mode := range []string{ModeIDs, ModeBoth} {
		t.Run(mode, func(t *testing.T) {
			r, g := newRace(t, mode, Settings{Refresh: 10 * time.Millisecond, MaxStaleness: 800 * time.Millisecond})
			var work sync.WaitGroup
			for i, cid := range []int64{fleetA, fleetB, fleetA, fleetB} {
				work.Go(func() { r.read(r.rig.Clients[i], cid) })
			}
			admin := client(t, g)
			for range rounds {
				r.changeBehind()
				r.moveThrough(admin)
				r.createThrough(admin)
			}
			close(r.done)
			work.Wait()
		})
	}
}

// changeBehind moves, deletes or makes a device without the gateway's knowledge.
func (r *race) changeBehind() {
	id := firstID + 1 + r.rng.Int64N(200)
	from := r.behind.Account(devices, id)
	to := int64(fleetA + fleetB - from)
	switch {
	case from == 0:
		r.history.Give(id, fleetA)
		if err := r.behind.Add(devices, backend.Item{ID: id, CID: fleetA}); err != nil {
			r.t.Error(err)
		}
	case r.rng.IntN(4) == 0:
		r.behind.Delete(devices, id)
		r.history.Took(id, from)
	default:
		r.history.Give(id, to)
		if err := r.behind.Move(devices, id, to); err != nil {
			r.t.Error(err)
		}
		r.history.Took(id, from)
	}
}

// do sends a request that changes something, and sends it again as long as the gateway answers that
// it does not know now whose items are: on a busy machine a reading takes longer than the index may
// be old.
func (r *race) do(c *Client, cid int64, a *Ask) (got *Answer, err error) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got, err = c.Do(r.tokens[cid], a, "race"); err != nil || got.Status != 503 {
			return got, err
		}
	}
	return got, err
}

// moveThrough has the operator move a device: with the answer the old owner has lost it and the new
// one has it.
func (r *race) moveThrough(c *Client) {
	id := r.through + r.rng.Int64N(200)
	from := r.behind.Account(devices, id)
	to := int64(fleetA + fleetB - from)
	r.history.Give(id, to)
	move := Ask{Method: "PUT", Coll: devices, Sel: one(id), Sub: "cid", Body: &Body{CID: to}}
	if r.rng.IntN(2) == 0 {
		move.Sub, move.Body = "", &Body{CID: to}
	}
	if got, err := r.do(c, operator, &move); err != nil || got.Status != 200 {
		r.t.Fatalf("%s: %v %v", move.String(), got, err)
	}
	r.history.Took(id, from)
	r.owns(c, id, from, to)
}

// owns checks what two fleets see of a device right after a change.
func (r *race) owns(c *Client, id, not, cid int64) {
	r.t.Helper()
	for _, s := range []Selector{one(id), {Form: selAll}} {
		if ids, status := r.ask(c, cid, s); status != 503 && !ids[id] {
			r.t.Errorf("DENIED: fleet %d does not see device %d by %s: %d", cid, id, s.Form, status)
		}
		if ids, _ := r.ask(c, not, s); ids[id] {
			r.t.Errorf("LEAK: fleet %d sees device %d by %s", not, id, s.Form)
		}
	}
}

// createThrough makes a device, and deletes it again: it is its maker's with the answer, and
// nobody's with the second.
func (r *race) createThrough(c *Client) {
	create := Ask{Method: "POST", Coll: devices, Body: &Body{}}
	got, err := r.do(c, fleetB, &create)
	var made served
	if err != nil || json.Unmarshal(got.Body, &made) != nil || len(made.Result) != 1 {
		r.t.Fatalf("%s: %v %v", create.String(), got, err)
	}
	id := number(made.Result[0]["id"])
	r.history.Give(id, fleetB)
	r.owns(c, id, fleetA, fleetB)
	gone := Ask{Method: "DELETE", Coll: devices, Sel: one(id)}
	if got, err := r.do(c, fleetB, &gone); err != nil || got.Status != 200 {
		r.t.Fatalf("%s: %v %v", gone.String(), got, err)
	}
	r.history.Took(id, fleetB)
	for _, cid := range []int64{fleetA, fleetB} {
		if ids, status := r.ask(c, cid, one(id)); status != 403 && status != 503 {
			r.t.Errorf("fleet %d asks for device %d after its deletion: %d %v", cid, id, status, ids)
		}
	}
}

// Members of groups count with the answer to the link, and no longer with the answer to its end.
func TestLinksCountAtOnce(t *testing.T) {
	for _, mode := range []string{ModeIDs, ModeBoth, ModeHeader} {
		t.Run(mode, func(t *testing.T) {
			w, tokens, member := fleets(40)
			g, rig, _ := start(t, w, options(mode), Settings{Mode: mode, Refresh: 10 * time.Millisecond, MaxStaleness: 2 * time.Second})
			ready(t, g)
			for i := range 60 {
				id := int64(firstID + 2 + 2*(i%20)) // of fleet A
				for _, method := range []string{"POST", "DELETE"} {
					link := Ask{Method: method, Coll: groups, Sel: one(firstID + 1), Linked: devices, LinkedSel: one(id)}
					if m := rig.Change(tokens[fleetA], link); len(m.Found) > 0 {
						t.Fatal(m.String())
					}
					moves := []Move{
						{Token: member, Ask: Ask{Method: "GET", Coll: devices, Sel: one(id)}},
						{Token: member, Ask: Ask{Method: "GET", Coll: devices, Sel: Selector{Form: selAll}}},
					}
					rig.Play(moves)
					for j := range moves {
						if len(moves[j].Found) > 0 {
							t.Fatalf("after %s of device %d: %s", method, id, moves[j].String())
						}
					}
				}
			}
		})
	}
}

// What was created past the gateway is found as soon as its owner names it, and by no one else.
func TestLookedUpBeforeDenied(t *testing.T) {
	for _, mode := range []string{ModeIDs, ModeBoth} {
		r, _ := newRace(t, mode, Settings{Refresh: time.Hour, MaxStaleness: 2 * time.Hour})
		c := r.rig.Clients[0]
		for id := int64(firstID + 5001); id <= firstID+5003; id++ {
			if err := r.behind.Add(devices, backend.Item{ID: id, CID: fleetA}); err != nil {
				t.Fatal(err)
			}
			r.owns(c, id, fleetB, fleetA)
		}
		r.behind.Delete(devices, firstID+5001)
		if got, err := c.Do(r.tokens[fleetA], &Ask{Method: "GET", Coll: devices, Sel: one(firstID + 5001)}, "gone"); err != nil || got.Status == 200 {
			t.Errorf("%s: got %v %v, want no item", mode, got, err)
		}
	}
}
