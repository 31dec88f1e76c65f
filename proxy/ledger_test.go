package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// entry is a line of the client's ledger: what was asked for, and what came.
type entry struct {
	id, method, target string
	outcome            string // a status, "cut" for an answer that does not look whole, "none"
}

// asked is what the clients of a fault run ask for. Only what is marked may reach the backend, as
// it stands here.
var asked = []struct {
	method, target, body, forwarded string
}{
	{"GET", "/gw/devices/1?fields=id", "", "/gw/devices/1?fields=id"},
	{"PUT", "/gw/devices/2", `{"name":"x"}`, "/gw/devices/2"},
	{"GET", "/gw/devices/3", "", ""},
	{"GET", "/gw/devices/all", "", "/gw/devices/1,2"},
	{"DELETE", "/gw/devices/1", "", ""},
}

// ledgers runs clients against the gateway and returns what they saw.
func (w *wired) ledgers(clients, rounds int) (all []entry) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for n := range clients {
		group.Go(func() {
			for round := range rounds {
				for i, a := range asked {
					e := entry{id: fmt.Sprintf("%d-%d-%d", n, round, i), method: a.method, target: a.target}
					e.outcome = outcomeOf(w.addr, request(readerKey, a.method, a.target, a.body, "X-Request-Id: "+e.id))
					mu.Lock()
					all = append(all, e)
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return all
}

// outcomeOf sends a request over a connection of its own.
func outcomeOf(addr, text string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "none"
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, text)
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return "none"
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		return "cut"
	}
	return fmt.Sprint(resp.StatusCode)
}

// judgeLedgers compares both: whatever reached the backend was allowed, a write reached it once at
// most, a read twice, and nobody got an answer that is not among those demanded.
func judgeLedgers(t *testing.T, clients []entry, backend []wireRequest, demanded string) {
	t.Helper()
	arrived := map[string]int{}
	for i := range backend {
		r := &backend[i]
		allowed := false
		for _, a := range asked {
			allowed = allowed || a.forwarded != "" && r.line == a.method+" "+a.forwarded+" HTTP/1.1"
		}
		if !allowed {
			t.Errorf("forwarded %q, which nobody may ask for", r.line)
		}
		for _, id := range r.all("X-Request-Id") {
			arrived[id]++
		}
	}
	for _, e := range clients {
		most := 1
		if e.method == "GET" {
			most = 2
		}
		if n := arrived[e.id]; n > most {
			t.Errorf("%s %s reached the backend %d times", e.method, e.target, n)
		}
		denied := e.target == "/gw/devices/3" || e.method == "DELETE"
		switch {
		case denied && e.outcome != "403":
			t.Errorf("%s %s was answered %s, want 403", e.method, e.target, e.outcome)
		case !denied && !strings.Contains(" "+demanded+" ", " "+e.outcome+" "):
			t.Errorf("%s %s was answered %s, want %s", e.method, e.target, e.outcome, demanded)
		}
	}
}

// state is what a process holds.
type state struct{ goroutines, descriptors, heap int }

func stateNow() (s state) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.goroutines, s.heap = runtime.NumGoroutine(), int(m.HeapAlloc)
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.descriptors = len(entries)
	}
	return s
}

// wantBaseLine waits until the process holds no more than before a fault.
func wantBaseLine(t *testing.T, before state) {
	t.Helper()
	var now state
	for range 200 {
		now = stateNow()
		if now.goroutines <= before.goroutines && now.descriptors <= before.descriptors && now.heap <= before.heap+4<<20 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("got %+v behind the fault, %+v before", now, before)
}
