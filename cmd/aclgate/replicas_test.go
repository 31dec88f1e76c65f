package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aclgate/bench/backend"
)

// fleet is three gateways, each a process, that share a database. The first one reaches it
// directly, and is asked to change it; the others over cables that can be spoilt.
type fleet struct {
	*shared
	t       *testing.T
	backend *backend.Server
	all     []*child
	cables  []*cable // of the second and the third
}

// fleetBound is store.max_staleness of a fleet.
const fleetBound = 3 * time.Second

// newFleet starts a fleet.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{shared: newShared(t), t: t, backend: backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey, Record: 1 << 16})}
	url, err := f.backend.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.backend.Close)
	for i := range 3 {
		port := f.Port
		if i > 0 {
			f.cables = append(f.cables, newCable(t, f.Port))
			port = f.cables[i-1].port()
		}
		o := f.options(port, fmt.Sprintf(", max_staleness: %s, replica: gw%d", fleetBound, i))
		o.backend, o.upstream, o.settings = f.backend, fmt.Sprintf("urls: [%q]", url), "log: {level: error}\n"
		s := newSite(t, o)
		if i == 0 {
			f.fill(s)
		}
		c := &child{site: s, stdout: new(safeBuffer), stderr: new(safeBuffer)}
		c.start(childOptions{})
		f.all = append(f.all, c)
	}
	return f
}

// issue makes a token that may read one channel, which nobody else asks for, and waits until every
// gateway knows it.
func (f *fleet) issue() (id int64, key string) { return f.issueAt(f.all...) }

// issueAt waits for some of the gateways alone.
func (f *fleet) issueAt(all ...*child) (id int64, key string) {
	f.t.Helper()
	status, body := f.all[0].asOperator("POST", "/platform/tokens", `{"cid":1,"expire":4102444800,"access":{"type":2,"acl":[{"uri":"gw/channels","methods":["GET"],"ids":[2026]}]}}`)
	var answer struct {
		Result []struct {
			ID  int64
			Key string
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		f.t.Fatalf("a new token: got %d %s", status, body)
	}
	for _, c := range all {
		f.await(c, answer.Result[0].Key, victim)
	}
	return answer.Result[0].ID, answer.Result[0].Key
}

const victim = "/gw/channels/2026?fields=id"

// await waits until a gateway serves a key.
func (f *fleet) await(c *child, key, path string) {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if status, _ := ask(c.api, key, path); status == 200 {
			return
		}
	}
	f.t.Fatalf("%s never serves: %s", c.api, c.stderr.String())
}

// fleetClient is for requests that may be left without an answer.
var fleetClient = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

// ask sends a request and returns its status, 0 without an answer.
func ask(api, key, path string) (int, error) {
	req, err := http.NewRequest("GET", api+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "FlespiToken "+key)
	resp, err := fleetClient.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// ledger is what clients remember: when they began to ask, and what they were answered.
type ledger struct {
	mu   sync.Mutex
	rows []entry
	stop chan struct{}
	done sync.WaitGroup
}

type entry struct {
	at      time.Time
	gateway int
	status  int
}

// load asks every gateway all the time.
func (f *fleet) load(key string) *ledger {
	l := &ledger{stop: make(chan struct{})}
	for i, c := range f.all {
		for range 2 {
			l.done.Go(func() {
				for {
					select {
					case <-l.stop:
						return
					case <-time.After(3 * time.Millisecond):
					}
					at := time.Now()
					status, _ := ask(c.api, key, victim)
					l.mu.Lock()
					l.rows = append(l.rows, entry{at, i, status})
					l.mu.Unlock()
				}
			})
		}
	}
	return l
}

// end stops the clients, and returns how many requests were accepted and how many of these began
// after a moment.
func (l *ledger) end(after time.Time) (accepted int, late []entry) {
	close(l.stop)
	l.done.Wait()
	for _, r := range l.rows {
		if r.status == 200 {
			accepted++
			if r.at.After(after) {
				late = append(late, r)
			}
		}
	}
	return accepted, late
}

// faults are what may be wrong while a token is revoked: they begin before it, and end after it
// was found to be refused everywhere.
var faults = []struct {
	name       string
	always     bool // also without -long
	begin, end func(*fleet)
}{
	{"nothing", true, func(*fleet) {}, func(*fleet) {}},
	{"stall both ways", true, both(stalls, stalls), heal},
	{"stall to the database", false, both(stalls, passes), heal},
	{"stall from the database", true, both(passes, stalls), heal},
	{"half to the database", false, both(halves, passes), heal},
	{"half from the database", false, both(passes, halves), heal},
	{"resets", false, both(resets, resets), heal},
	{"delay both ways", false, both(delays, delays), heal},
	{"delay from the database, stall to it", false, both(stalls, delays), heal},
	{"a gateway that is stopped", true, stopGateway, func(*fleet) {}},
	{"the history is pruned under who is cut off", false, pruneBehind, heal},
	{"a server that is killed meanwhile", false, func(f *fleet) { f.soon(func() { f.Kill(); f.Up() }) }, func(*fleet) {}},
	{"a server that is stopped for a while", false, func(f *fleet) {
		f.soon(func() { f.Signal(syscall.SIGSTOP); time.Sleep(2 * time.Second); f.Signal(syscall.SIGCONT) })
	}, func(*fleet) {}},
}

func both(up, down pattern) func(*fleet) {
	return func(f *fleet) {
		for _, l := range f.cables {
			l.set(up, down)
		}
	}
}

func heal(f *fleet) { both(passes, passes)(f) }

// pruneBehind cuts gateways off, and has the history forget what they did not hear of.
func pruneBehind(f *fleet) {
	both(stalls, stalls)(f)
	f.issueAt(f.all[0])
	f.SQL(f.database, "SELECT aclgate.prune(now() + interval '1 hour', now())")
}

// stopGateway stops the third gateway, and lets it go on after the bound.
func stopGateway(f *fleet) { f.all[2].cmd.Process.Signal(syscall.SIGSTOP) }

// soon does something a moment after the revocation began.
func (f *fleet) soon(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(30 * time.Millisecond)
		do()
	}()
	f.t.Cleanup(func() { <-done })
}

// When `revoke --wait` has returned, no gateway accepts the token, whatever stands between it and the
// database: that is read off the ledgers of clients and backend (SPEC 15.5, rows 2 and 3). (Jumps of
// clocks are played in policy/store, where they are an argument: TestClocksThatJump.)
func TestRevokeWaitHoldsInEveryPartition(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for _, fault := range faults {
		if !*long && !fault.always {
			continue
		}
		t.Run(fault.name, func(t *testing.T) {
			id, key := f.issue()
			clients := f.load(key)
			time.Sleep(200 * time.Millisecond)
			fault.begin(f)
			took := f.revoke(t, id)
			returned := time.Now()
			f.all[2].cmd.Process.Signal(syscall.SIGCONT) // what was stopped asks and answers at once
			f.refused(t, manyAsked(), key)
			time.Sleep(100 * time.Millisecond) // for what began before to reach the backend
			mark := f.backend.Mark()
			f.refused(t, 50, key)
			time.Sleep(300 * time.Millisecond)
			for _, r := range f.backend.Since(mark) {
				if strings.Contains(r.Target, "2026") {
					t.Errorf("the backend got %s of a revoked token", r.Target)
				}
			}
			fault.end(f)
			f.refused(t, 50, key)
			accepted, late := clients.end(returned)
			if len(late) > 0 || accepted == 0 {
				t.Errorf("%d of %d accepted requests began after the revocation had returned, such as %+v", len(late), accepted, late[:min(3, len(late))])
			}
			t.Logf("returned after %v, %d requests accepted before", took.Round(time.Millisecond), accepted)
			for _, c := range f.all {
				f.await(c, validKey, channel)
			}
		})
	}
}

// revoke revokes a token and waits. What was not acknowledged promises nothing, and is asked again.
func (f *fleet) revoke(t *testing.T, id int64) (took time.Duration) {
	t.Helper()
	began := time.Now()
	for end := began.Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		status, body := f.all[0].asOperator("DELETE", fmt.Sprintf("/platform/tokens/%d?wait=true", id), "")
		switch status {
		case 200:
			return time.Since(began)
		case 403: // it was committed, and the answer was lost: somebody has to wait for it
			status, body = f.all[0].asOperator("POST", "/platform/tokens?wait=true", `{"cid":1,"expire":4102444800,"access":{"type":1}}`)
			if status == 200 {
				return time.Since(began)
			}
		}
		t.Logf("asked again: %d %s", status, strings.TrimSpace(body))
	}
	t.Fatal("the token cannot be revoked")
	return 0
}

// manyAsked is how often a gateway is asked after a revocation (SPEC 15.5).
func manyAsked() int {
	if *long {
		return 10_000
	}
	return 100
}

// refused asks every gateway many times, and wants no answer that serves.
func (f *fleet) refused(t *testing.T, times int, key string) {
	t.Helper()
	for _, c := range f.all {
		neverServed(t, times, c.api, key, victim)
	}
}

// neverServed asks many times, on some connections at once, and wants no answer but a refusal.
func neverServed(t *testing.T, times int, api, key, path string) {
	t.Helper()
	const clients = 5
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			for range times / clients {
				if status, err := ask(api, key, path); status != 401 && status != 503 {
					t.Errorf("%s answers a revoked token with %d, %v", api, status, err)
					return
				}
			}
		})
	}
	asking.Wait()
}
