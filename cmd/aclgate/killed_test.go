package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// acknowledged is what writers were answered: whether the key of a token works, and the names of
// accounts ("" for one that was deleted). What is under way is in neither.
type acknowledged struct {
	mu     sync.Mutex
	keys   map[string]bool
	names  map[int64]string
	answer int // writes that were answered
}

// killedWriter writes over HTTP as the root's master until the gateway is gone.
type killedWriter struct {
	c      *child
	client *http.Client
	all    *acknowledged
	rand   *rand.Rand
	keys   map[string]int64 // its own tokens that work
	names  map[int64]string // its own accounts
}

// send sends one request. ok is false if no whole answer came, or one that promises nothing: 503.
func (w *killedWriter) send(key, method, path, body string) (status int, text string, ok bool) {
	req, err := http.NewRequest(method, w.c.api+path, strings.NewReader(body))
	if err != nil {
		return 0, "", false
	}
	req.Header.Set("Authorization", "FlespiToken "+key)
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, "", false
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(read), err == nil && resp.StatusCode != http.StatusServiceUnavailable
}

// write sends one write, which has to be answered with 200 unless the gateway is gone.
func (w *killedWriter) write(method, path, body string) (id int64, key string, ok bool) {
	status, text, ok := w.send("key-of-the-root-master", method, path, body)
	if !ok {
		return 0, "", false
	}
	var answer struct {
		Result []struct {
			ID  int64
			Key string
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || len(answer.Result) != 1 {
		w.c.t.Errorf("%s %s: got %d %s", method, path, status, text)
		return 0, "", false
	}
	return answer.Result[0].ID, answer.Result[0].Key, true
}

// obeyed looks whether a write that was answered is in force at once, and notes it.
func (w *killedWriter) obeyed(key string, works bool) bool {
	w.all.mu.Lock()
	w.all.keys[key] = works
	w.all.answer++
	w.all.mu.Unlock()
	want := map[bool]int{true: 200, false: 401}[works]
	status, text, ok := w.send(key, "GET", "/auth/info", "")
	if ok && status != want {
		w.c.t.Errorf("right after the answer: got %d %s, want %d", status, text, want)
	}
	return ok
}

// forget takes a key or an account out while its fate is open.
func (w *killedWriter) forget(key string, account int64) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	delete(w.all.keys, key)
	delete(w.all.names, account)
}

// tokens makes a token, or ends one that it has made. It reports whether the gateway goes on.
func (w *killedWriter) tokens() bool {
	for key, id := range w.keys {
		if w.rand.IntN(2) == 0 {
			break
		}
		delete(w.keys, key)
		w.forget(key, 0)
		path := "/platform/tokens/" + strconv.FormatInt(id, 10)
		ended := false
		if w.rand.IntN(2) == 0 {
			_, _, ended = w.write("DELETE", path, "")
		} else {
			_, _, ended = w.write("PUT", path+"?fields=id", `{"enabled":false}`)
		}
		return ended && w.obeyed(key, false)
	}
	id, key, ok := w.write("POST", "/platform/tokens?fields=id", `{"access":{"type":0},"expire":4102444000}`)
	if ok {
		w.keys[key] = id
	}
	return ok && w.obeyed(key, true)
}

// accounts makes an account, or renames or deletes one that it has made.
func (w *killedWriter) accounts() bool {
	name := fmt.Sprint("n", w.rand.Uint64())
	method, path, body := "POST", "/platform/subaccounts?fields=id", `{"name":"`+name+`"}`
	for id := range w.names {
		switch w.rand.IntN(3) {
		case 0:
			method, path = "PUT", fmt.Sprintf("/platform/subaccounts/%d?fields=id", id)
		case 1:
			method, path, body, name = "DELETE", fmt.Sprintf("/platform/subaccounts/%d", id), "", ""
		}
		if method != "POST" {
			w.forget("", id)
		}
		break
	}
	id, _, ok := w.write(method, path, body)
	if !ok {
		return false
	}
	if w.names[id] = name; name == "" {
		delete(w.names, id)
	}
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	w.all.names[id] = name
	w.all.answer++
	return true
}

// killAll lets writers write, kills the gateway while they do, and returns when they have noticed.
func (c *child) killAll(all *acknowledged, round int, kill func()) {
	c.t.Helper()
	var work sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	all.mu.Lock()
	before := all.answer
	all.mu.Unlock()
	for i := range 4 {
		w := &killedWriter{c: c, client: client, all: all, rand: rand.New(rand.NewPCG(uint64(round), uint64(i))), keys: map[string]int64{}, names: map[int64]string{}}
		next := w.tokens
		if i == 0 {
			next = w.accounts
		}
		work.Go(func() {
			for next() {
			}
		})
	}
	c.until("twenty writes are answered", func() bool {
		all.mu.Lock()
		defer all.mu.Unlock()
		return all.answer >= before+20 || c.t.Failed()
	})
	time.Sleep(time.Duration(round*7%40) * time.Millisecond)
	kill()
	work.Wait()
}

// check asks a gateway that was started anew for everything that was answered.
func (all *acknowledged) check(c *child) {
	c.t.Helper()
	for key, works := range all.keys {
		want := map[bool]int{true: 200, false: 401}[works]
		if status, text := call(c.t, key, "GET", c.api+"/auth/info", ""); status != want {
			c.t.Errorf("a token after the kill: got %d %s, want %d", status, text, want)
		}
	}
	for id, name := range all.names {
		status, text := call(c.t, "key-of-the-root-master", "GET", fmt.Sprintf("%s/platform/subaccounts/%d?fields=name", c.api, id), "")
		if name == "" && status != 403 || name != "" && text != `{"result":[{"name":"`+name+`"}]}` {
			c.t.Errorf("account %d after the kill: got %d %s, want name %q", id, status, text, name)
		}
	}
}

// killRounds kills a gateway again and again while it is written to over HTTP: what was answered was in
// force at once, and is after each new start (SPEC 14, 5 and 9; SPEC 15.5, 4).
func killRounds(t *testing.T, c *child, rounds int, kill func()) {
	t.Helper()
	all := &acknowledged{keys: map[string]bool{}, names: map[int64]string{}}
	for round := range rounds {
		c.killAll(all, round, kill)
		c.start(childOptions{})
		all.check(c)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d writes that were answered", rounds, all.answer)
}

const killedSettings = "log: {level: error}\nscope: {mode: ids, owners: store}\n"

func TestKilledWhileAdministering(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: killedSettings, policy: platformPolicy})
		s.runs(exitOK, "store", "migrate")
		s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
		c := &child{site: s, stdout: new(safeBuffer), stderr: new(safeBuffer)}
		c.start(childOptions{})
		killRounds(t, c, longRounds(2, 12), func() { c.cmd.Process.Kill(); c.wait() })
		s.runs(exitOK, "store", "verify")
	})
	t.Run("postgres", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it takes a server")
		}
		d := newShared(t)
		o := d.options(d.Port, "")
		o.settings, o.policy = killedSettings, platformPolicy
		s := newSite(t, o)
		d.fill(s)
		c := &child{site: s, stdout: new(safeBuffer), stderr: new(safeBuffer)}
		c.start(childOptions{})
		killRounds(t, c, longRounds(1, 6), func() {
			if *long { // the server dies with the gateway
				d.Kill()
				defer d.Up()
			}
			c.cmd.Process.Kill()
			c.wait()
		})
		s.runs(exitOK, "store", "verify")
	})
}

// longRounds returns how many rounds a test takes.
func longRounds(short, full int) int {
	if *long {
		return full
	}
	return short
}
