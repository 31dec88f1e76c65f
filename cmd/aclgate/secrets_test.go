package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aclgate/bench/backend"
)

// spellings are the ways in which a key could show: plain, in hex, and in base64 wherever in a
// longer text it is.
func spellings(key string) [][]byte {
	all := [][]byte{[]byte(key), []byte(hex.EncodeToString([]byte(key))), []byte(strings.ToUpper(hex.EncodeToString([]byte(key))))}
	for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := coding.EncodeToString(append(make([]byte, shift), key...))
			first := []int{0, 2, 3}[shift]
			all = append(all, []byte(text[first:len(text)-2]))
		}
	}
	return all
}

// attackCases returns the raw requests of the cases and the keys in them.
func attackCases(t *testing.T) (raw [][]byte, keys []string) {
	t.Helper()
	text, err := os.ReadFile("../../proxy/testdata/attacks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	named := regexp.MustCompile(`TOK[A-Za-z0-9]{61}`)
	for line := range strings.Lines(string(text)) {
		var row struct{ Raw string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		request := make([]byte, 0, len(row.Raw))
		for _, r := range row.Raw {
			request = append(request, byte(r)) // one character per byte
		}
		raw = append(raw, request)
		for _, key := range named.FindAllString(row.Raw, -1) {
			found[key] = true
		}
	}
	return raw, slices.Sorted(maps.Keys(found))
}

// No key of any token, in plain, base64 or hex, is in what a whole run at log level debug leaves
// behind: logs, metrics, answers, explanations, files, the dump of a killed process; nor does a
// caller's key reach the backend.
func TestKeysAreNowhere(t *testing.T) {
	t.Parallel()
	raw, keys := attackCases(t)
	policy := "accounts: [{id: 400}, {id: 500, parent: 400}, {id: 501, parent: 500}, {id: 600, parent: 400}, {id: 777}]\ntokens:\n"
	for i, key := range append([]string{validKey}, keys...) {
		policy += fmt.Sprintf("  - {id: %d, key: %s, cid: 500, expire: 4102444800, access: {type: standard}}\n", i+1, key)
	}
	keys = append(keys, validKey, adminKey, upstreamKey)
	c := newChild(t, childOptions{siteOptions: siteOptions{
		policy: policy, settings: "log: {level: debug}\nscope: {trust_header: true}\n",
		backend: backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey, Record: 1 << 14}),
	}})
	left := map[string][]byte{}
	for _, request := range raw {
		left["an answer"] = append(left["an answer"], c.exchange(request)...)
	}
	left["an answer"] = append(left["an answer"], c.faults()...)
	for _, r := range c.backend.Take() {
		for _, h := range r.Header {
			if h.Value != "FlespiToken upstream-key" {
				left["the backend"] = append(left["the backend"], h.Name+": "+h.Value+"\n"...)
			}
		}
		left["the backend"] = append(append(left["the backend"], r.Target...), r.Body...)
	}
	c.observe(left)
	for place, text := range left {
		t.Logf("%s: %d bytes", place, len(text))
		for _, key := range keys {
			for _, spelling := range spellings(key) {
				if i := bytes.Index(text, spelling); i >= 0 {
					t.Errorf("%s holds a key (%.3s…): …%s…", place, key, text[max(0, i-60):i])
				}
			}
		}
		if len(text) == 0 {
			t.Errorf("nothing was seen of %s", place)
		}
	}
}

// exchange sends bytes over a fresh connection and returns what comes back.
func (c *child) exchange(request []byte) []byte {
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	conn.Write(request)
	conn.(*net.TCPConn).CloseWrite()
	text, _ := io.ReadAll(conn)
	return text
}

// faults has the backend fail in every way that is logged, and returns the answers.
func (c *child) faults() (answers []byte) {
	for _, canned := range []backend.Canned{
		{Status: 401, Body: []byte("{}")}, {Status: 302}, {Raw: []byte("SSH-2.0\r\n")}, {Raw: []byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")},
	} {
		c.backend.SetFault(func(*backend.Request) *backend.Canned { return &canned })
		answers = append(answers, c.exchange([]byte(
			"GET /gw/devices/all HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken "+validKey+"\r\n\r\n"))...)
	}
	c.backend.SetFault(nil)
	return answers
}

// observe collects what operators see of a run, ends the process with a dump of its goroutines, and
// collects what it wrote.
func (c *child) observe(left map[string][]byte) {
	get := func(path string) []byte {
		req, _ := http.NewRequest("GET", c.admin+path, nil)
		req.Header.Set("Authorization", "Bearer "+adminKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			c.t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return text
	}
	left["/metrics"], left["/readyz"] = get("/metrics"), get("/readyz")
	for _, m := range regexp.MustCompile(`(?i)x-aclgate-decision: (\S+)`).FindAllSubmatch(left["an answer"], -1) {
		left["/why"] = append(left["/why"], get("/why/"+string(m[1]))...)
	}
	c.cmd.Process.Signal(syscall.SIGQUIT)
	c.wait()
	left["the log"] = []byte(c.stdout.String() + c.stderr.String())
	if !bytes.Contains(left["the log"], []byte("goroutine ")) {
		c.t.Error("SIGQUIT left no dump")
	}
	files, _ := filepath.Glob(filepath.Join(c.folder, "*"))
	for _, path := range files {
		switch filepath.Base(path) {
		case "policy.yaml", "up.token", "admin.token": // where keys come from
		default:
			text, _ := os.ReadFile(path)
			left["a file"] = append(left["a file"], text...)
		}
	}
}
