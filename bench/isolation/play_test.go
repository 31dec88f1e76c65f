package isolation

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"aclgate/bench/backend"
)

// Move is one request of a token, what has to come of it, and what came.
type Move struct {
	Token *Token
	Ask   Ask
	Want  *Want
	Got   *Answer
	Err   error
	Found Findings
}

// Rig is a world on both sides of a gateway, with a ledger of what reached the backend.
type Rig struct {
	World   *World
	Server  *backend.Server
	Clients []*Client

	marked int
}

// inBatch is how many requests are sent before the ledger is read. The backend's ring has to hold
// what they become, split lists and the gateway's own questions included.
const inBatch = 200

// Play sends requests, several at a time, and judges each. They must not change what the oracle
// knows.
func (s *Rig) Play(moves []Move) {
	for len(moves) > 0 {
		n := min(inBatch, len(moves))
		s.batch(moves[:n])
		moves = moves[n:]
	}
}

func (s *Rig) batch(moves []Move) {
	first := s.marked
	s.marked += len(moves)
	s.Server.Take()
	var work sync.WaitGroup
	for lane, client := range s.Clients {
		work.Go(func() {
			for i := lane; i < len(moves); i += len(s.Clients) {
				m := &moves[i]
				m.Got, m.Err = client.Do(m.Token, &m.Ask, mark(first+i))
			}
		})
	}
	work.Wait()
	ledger := map[string][]backend.Request{}
	for _, r := range s.Server.Take() {
		if name := r.Get(markHeader); len(name) == 1 {
			ledger[name[0]] = append(ledger[name[0]], r)
		}
	}
	for i := range moves {
		m := &moves[i]
		if m.Err != nil {
			m.Found = Findings{m.Err.Error()}
			continue
		}
		m.Want = s.World.Judge(m.Token, &m.Ask)
		m.Found = s.World.Check(&m.Ask, m.Want, m.Got, ledger[mark(first+i)])
	}
}

func mark(n int) string { return fmt.Sprintf("m%d", n) }

// Change sends one request that may change the world, judges it, and lets the oracle know what
// happened.
func (s *Rig) Change(t *Token, a Ask) *Move {
	m := []Move{{Token: t, Ask: a}}
	// The world must neither run dry nor fill up with links: what would change much is left out.
	want := s.World.Judge(t, &a)
	if deletes := a.Method == "DELETE" && a.item(); deletes && len(want.Own.IDs) > 2 || a.Linked != "" && len(want.Rows) > 100 {
		return nil
	}
	s.batch(m)
	if m[0].Err == nil && m[0].Want.Outcome == Forwarded && m[0].Got.Status == 200 {
		s.World.apply(&m[0])
	}
	return &m[0]
}

// apply does to the world what a request has done to the backend's.
func (w *World) apply(m *Move) {
	a := &m.Ask
	w.Changed()
	if a.creates() {
		w.created(m)
		return
	}
	for _, r := range m.Want.Rows {
		switch {
		case a.Linked != "":
			w.setLink(a.link(), r, a.Method == "POST")
		case a.Method == "DELETE" && a.item():
			w.Remove(a.Coll, r.ID)
		case a.Body != nil && a.Body.CID != 0:
			w.Items[a.Coll][r.ID].CID = a.Body.CID
		}
	}
}

// created notes new items. The request, or its scope, says which account has them.
func (w *World) created(m *Move) {
	var s served
	if err := json.Unmarshal(m.Got.Body, &s); err != nil || len(s.Result) != 1 {
		m.Found.add("a creation was answered with %.200s", m.Got.Body)
		return
	}
	it := Item{CID: m.Want.Scope, Color: -1}
	if m.Ask.Body.CID != 0 {
		it.CID = m.Ask.Body.CID
	}
	w.Add(m.Ask.Coll, number(s.Result[0]["id"]), it)
}

func (w *World) setLink(l Link, r Row, there bool) {
	if w.Links[l][r.ID] == nil {
		w.Links[l][r.ID] = map[int64]bool{}
	}
	if there {
		w.Links[l][r.ID][r.Child] = true
	} else {
		delete(w.Links[l][r.ID], r.Child)
	}
}

// String shows a request with all that is wrong about it.
func (m *Move) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "token %d (%s of account %d) %s\n", m.Token.ID, m.Token.Access, m.Token.CID, m.Ask.String())
	for i := range m.Token.Entries {
		b.WriteString("    entry ")
		m.Token.Entries[i].write(&b, 0)
		b.WriteByte('\n')
	}
	if m.Want != nil {
		fmt.Fprintf(&b, "    want %s\n", m.Want.Outcome)
	}
	for _, f := range m.Found {
		b.WriteString("    " + f + "\n")
	}
	return b.String()
}
