package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// reach is what a token can name over HTTP: items, and records of the administration.
func (s *naiveSite) reach(key string) map[string]bool {
	s.t.Helper()
	can := map[string]bool{}
	for _, path := range []string{"/gw/channels/all", "/gw/devices/all", "/platform/tokens/all", "/platform/subaccounts/all", "/platform/limits/all"} {
		status, text := call(s.t, key, "GET", s.g.api+path+"?fields=id", "")
		var answer struct{ Result []struct{ ID int64 } }
		if status >= 500 || json.Unmarshal([]byte(text), &answer) != nil {
			s.t.Fatalf("%s: got %d %s", path, status, text)
		}
		for _, row := range answer.Result {
			can[fmt.Sprintf("%s %d", path, row.ID)] = true
		}
	}
	return can
}

// After each write of a token over HTTP, what that token can name is no more than it, or who wrote it,
// could name before (SPEC 14, 1).
func TestNobodyReachesMore(t *testing.T) {
	t.Parallel()
	s := newNaiveSite(t, 3)
	written := 0
	for range longRounds(60, 1500) {
		if len(s.w.tokens) < 4 {
			break
		}
		q := s.randomCall()
		if q.operator || q.method == "GET" || q.method == "DELETE" || !strings.HasSuffix(q.collection, "tokens") {
			s.compare(q)
			continue
		}
		maker := s.w.tokens[q.token].key
		before, could := map[int64]map[string]bool{}, s.reach(maker)
		for id, token := range s.w.tokens {
			before[id] = s.reach(token.key)
		}
		s.compare(q)
		for id := range s.w.tokens {
			if _, was := before[id]; !was { // whoever sees its account sees the new record
				could[fmt.Sprintf("/platform/tokens/all %d", id)] = true
				written++
			}
		}
		for id, token := range s.w.tokens {
			for what := range s.reach(token.key) {
				if !before[id][what] && !could[what] {
					t.Fatalf("%v: token %d reaches %s", q, id, what)
				}
			}
		}
	}
	if written == 0 {
		t.Error("no token was made: that shows nothing")
	}
}

// Counts are exact when many ask at once: of tokens, in the transaction; of items, which are reserved
// before they are asked for, and given back where the backend refuses them (SPEC 14, 11).
func TestCountsAreExact(t *testing.T) {
	const bound = 5
	s := databaseSite(t)
	s.runs(exitOK, "limit", "new", "--offline", "--cid", "1", "--name", "l", "--set", fmt.Sprint("tokens_count=", bound), "--set", fmt.Sprint("devices_count=", bound))
	s.runs(exitOK, "account", "new", "--offline", "--parent", "1", "--name", "Shop", "--limit", "1")
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	made := map[string]int{}
	var mu sync.Mutex
	var work sync.WaitGroup
	for i := range 4 * bound {
		for path, body := range map[string]string{
			"/platform/tokens": `{"access":{"type":0},"expire":4102444000}`,
			"/gw/devices":      fmt.Sprintf(`[{"name":"d%d","device_type_id":42,"configuration":{"ident":"d%d"}}]`, i, i),
		} {
			if path == "/gw/devices" && i%4 == 0 {
				body = `[{"name":7}]` // the backend refuses it
			}
			work.Go(func() {
				resp, text := exchangeOf(t, "key-of-the-root-master", "POST", g.api+path, body, "x-flespi-cid", "112")
				mu.Lock()
				defer mu.Unlock()
				if resp.StatusCode == 200 {
					made[path]++
				} else if resp.StatusCode != 403 && resp.StatusCode != 400 {
					t.Errorf("%s: got %d %s", path, resp.StatusCode, text)
				}
			})
		}
	}
	work.Wait()
	if made["/platform/tokens"] != bound {
		t.Errorf("%d tokens were made, want %d", made["/platform/tokens"], bound)
	}
	if made["/gw/devices"] > bound {
		t.Errorf("%d devices were made, want at most %d", made["/gw/devices"], bound)
	}
	for i := made["/gw/devices"]; i < bound; i++ { // what was refused beside them is not counted any more
		resp, text := exchangeOf(t, "key-of-the-root-master", "POST", g.api+"/gw/devices", fmt.Sprintf(`[{"name":"e%d","device_type_id":42,"configuration":{"ident":"e%d"}}]`, i, i), "x-flespi-cid", "112")
		if resp.StatusCode != 200 {
			t.Errorf("device %d: got %d %s", i, resp.StatusCode, text)
		}
	}
	resp, text := exchangeOf(t, "key-of-the-root-master", "POST", g.api+"/gw/devices", `[{"name":"f","device_type_id":42,"configuration":{"ident":"f"}}]`, "x-flespi-cid", "112")
	if resp.StatusCode != 403 || !strings.Contains(text, "limit devices_count of account 112 is reached (5)") {
		t.Errorf("one more: got %d %s", resp.StatusCode, text)
	}
}
