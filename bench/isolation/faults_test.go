package isolation

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/bench/backend"
)

// listing reports whether a request is a page of the index of devices, and which.
func listing(r *backend.Request) (offset string, ok bool) {
	_, offset, ok = strings.Cut(r.Target, "&offset=")
	return offset, ok && strings.HasPrefix(r.Target, "/gw/devices/all?fields=id%2Ccid&limit=1000") ||
		ok && strings.HasPrefix(r.Target, "/gw/devices/all?fields=id,cid&limit=1000")
}

// faulty is a gateway in front of a backend whose listings of devices fail while it is told to.
type faulty struct {
	*testing.T
	g      *Gateway
	rig    *Rig
	tokens map[int64]*Token
	fault  atomic.Pointer[backend.Canned]
	page   atomic.Pointer[string] // which page it befalls
}

func startFaulty(t *testing.T, opt backend.Options, first *backend.Canned) *faulty {
	w, tokens, _ := fleets(2500) // three pages
	w.Mode = ModeIDs
	behind, err := w.Backend()
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{T: t, tokens: tokens, rig: &Rig{World: w, Server: backend.New(behind, opt)}}
	t.Cleanup(f.rig.Server.Close)
	f.set("0", first)
	f.rig.Server.SetFault(func(r *backend.Request) *backend.Canned {
		if offset, ok := listing(r); ok && offset == *f.page.Load() {
			return f.fault.Load()
		}
		return nil
	})
	url, err := f.rig.Server.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.g = serve(t, w, Settings{Mode: ModeIDs, Refresh: 100 * time.Millisecond, MaxStaleness: 700 * time.Millisecond, Backend: url})
	f.rig.Clients = []*Client{client(t, f.g)}
	return f
}

func (f *faulty) set(page string, c *backend.Canned) {
	f.page.Store(&page)
	f.fault.Store(c)
}

// settle waits until requests are answered with a status.
func (f *faulty) settle(status int) *Answer {
	f.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got, err := f.rig.Clients[0].Do(f.tokens[fleetA], &Ask{Method: "GET", Coll: devices, Sel: one(firstID + 2)}, "f")
		switch {
		case err != nil:
			f.Fatal(err)
		case got.Status == status:
			return got
		case time.Now().After(end):
			f.Fatalf("never got status %d, but %d %s; %v", status, got.Status, got.Body, f.g.LogTail())
		}
	}
}

// right checks that each fleet is shown what it has, and nothing else.
func (f *faulty) right() {
	f.Helper()
	for _, cid := range []int64{operator, fleetA, fleetB} {
		// On a busy machine a reading may take longer than the index may be old: a 503 asks to come back.
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			m := []Move{{Token: f.tokens[cid], Ask: Ask{Method: "GET", Coll: devices, Sel: Selector{Form: selAll}}}}
			f.rig.batch(m)
			if len(m[0].Found) > 0 && strings.Contains(m[0].String(), "got status 503") && time.Now().Before(end) {
				continue
			}
			if len(m[0].Found) > 0 {
				f.Error(m[0].String())
			}
			break
		}
	}
}

// unready checks what is answered before anything was read.
func (f *faulty) unready() {
	f.Helper()
	if got := f.settle(503); string(got.Body) != unknownNow || got.Header.Get("Retry-After") == "" {
		f.Errorf("before the first reading: got %s", got.Body)
	}
	if status, body, err := f.g.Get("/readyz"); status != 503 || !strings.Contains(body, "index") {
		f.Errorf("/readyz before the first reading: got %d %s %v", status, body, err)
	}
	f.exported(1)
}

// exported checks the metrics of the index of devices.
func (f *faulty) exported(stale float64) {
	f.Helper()
	if got := metric(f.T, f.g, `aclgate_index_stale{collection="gw/devices",part="items"}`); got != stale {
		f.Errorf("aclgate_index_stale: got %v, want %v", got, stale)
	}
}

const unknownNow = `{"errors":[{"code":503,"reason":"the account of items is not known now"}]}`

func answered(body string) *backend.Canned { return &backend.Canned{Status: 200, Body: []byte(body)} }

// rows makes a page of a thousand rows, the last of which is given.
func rows(last string) string {
	var b strings.Builder
	for i := range 999 {
		fmt.Fprintf(&b, `{"id":%d,"cid":12},`, firstID+1+i)
	}
	return `{"result":[` + b.String() + last + `]}`
}

// An index that could not be read whole is never used: neither for the first time nor instead of an
// older one, which counts until it is too old.
func TestNeverHalfAnIndex(t *testing.T) {
	for _, row := range []struct {
		name, page string
		fault      *backend.Canned
	}{
		{"status", "0", &backend.Canned{Status: 500}},
		{"fails half-way", "999", &backend.Canned{Status: 502}},
		{"cut half-way", "1998", &backend.Canned{Cut: 900}},
		{"errors beside rows", "999", answered(`{"errors":[{"code":1,"reason":"x"}],"result":[]}`)},
		{"no JSON", "999", answered(`<html>`)},
		{"a row without id", "0", answered(rows(`{"cid":11}`))},
		{"a row with a text as id", "0", answered(rows(`{"id":"102000","cid":11}`))},
		{"a row with a fraction as cid", "0", answered(rows(`{"id":102000,"cid":11.5}`))},
		{"one item of two accounts", "0", answered(rows(fmt.Sprintf(`{"id":%d,"cid":11}`, firstID+1)))},
		{"never answers", "999", &backend.Canned{Hang: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := startFaulty(t, options(ModeIDs), row.fault)
			f.set(row.page, row.fault)
			time.Sleep(100 * time.Millisecond)
			f.unready()
			if row.fault.Hang {
				return // its connection is held until the backend ends
			}
			f.set("none", nil)
			f.settle(200)
			f.right()
			ready(t, f.g)
			f.set(row.page, row.fault)
			f.settle(503)
			f.exported(1)
			f.set("none", nil)
			f.settle(200)
			f.exported(0)
			f.right()
		})
	}
}

// What a backend may do otherwise, and still be read.
func TestBackendsThatCanBeRead(t *testing.T) {
	unpaged, ordinary := options(ModeIDs), options(ModeIDs)
	unpaged.NoPaging = true
	for _, row := range []struct {
		name  string
		opt   backend.Options
		fault *backend.Canned
	}{
		{"without paging", unpaged, nil},
		{"with paging", ordinary, nil},
		{"slow", ordinary, &backend.Canned{Delay: 100 * time.Millisecond}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := startFaulty(t, row.opt, row.fault)
			ready(t, f.g)
			f.right()
		})
	}
	t.Run("rows that come twice", func(t *testing.T) {
		t.Parallel()
		f := startFaulty(t, ordinary, answered(fmt.Sprintf(`{"result":[{"id":%d,"cid":12},{"id":%[1]d,"cid":12},{"id":%d,"cid":11}],`+
			`"pagination":{"limit":1000,"offset":0,"count":3}}`, firstID+1, firstID+2000)))
		ready(t, f.g)
		got, err := f.rig.Clients[0].Do(f.tokens[fleetA], &Ask{Method: "GET", Coll: devices, Sel: Selector{Form: selAll}}, "f")
		var seen served
		if err != nil || json.Unmarshal(got.Body, &seen) != nil || len(seen.Result) != 1 {
			t.Errorf("got %v %v, want one device", got, err)
		}
	})
}
