package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/config"
)

// Every setting that the documentation names has a row of choices, and each of them is legal and
// not the default.
func TestDocsEverySettingHasChoices(t *testing.T) {
	known := map[string]bool{}
	for _, row := range config.Reference() {
		known[row.Path] = true
		all, found := choices[row.Path]
		if !found {
			t.Errorf("%s has no row in settings_table_test.go: what else may it be, and what do clients see of that?", row.Path)
		}
		for _, c := range all {
			if other := base[row.Path] + mqttBase[row.Path]; c.value == row.Default && other == "" || c.value == other {
				t.Errorf("%s: %s is the default", row.Path, c.value)
			}
			for path, value := range c.with {
				if !slices.ContainsFunc(choices[path], func(c choice) bool { return c.value == value }) {
					t.Errorf("%s: %s of %s is no choice", row.Path, value, path)
				}
			}
			v := c.assign(row.Path)
			text := strings.NewReplacer("$URL", "http://backend.test:", "$BROKER", "broker.test:1883").Replace(yamlOf(v, "", ""))
			if _, faults := config.Parse("f", []byte(text)); faults.Err() != nil && !outlookOf(v).faulty(v) {
				t.Errorf("%s: %v", row.Path, faults)
			}
		}
	}
	for path := range choices {
		if !known[path] {
			t.Errorf("%s is no setting any more", path)
		}
	}
}

// assign returns the settings that a choice makes.
func (c *choice) assign(path string) values {
	v := values{path: c.value}
	maps.Copy(v, c.with)
	return v
}

// sections are the settings that are tried together.
var sections = []string{"listen.", "upstream.", "scope.", "policy.", "limits.", "audit.", "mqtt."}

// Each value of each setting: a gateway that has it starts, and answers as it says. Without -long
// those that TestSettingsTogether tries are left to it.
func TestSettingsAlone(t *testing.T) {
	tryAll(t, append(allChoices(func(path string) bool {
		return *long || !slices.ContainsFunc(sections, func(section string) bool { return strings.HasPrefix(path, section) })
	}), values{}))
}

// Settings of one section together: each two of them are in some gateway. With -long each two are
// in one of their own, and any two settings at all meet.
func TestSettingsTogether(t *testing.T) {
	t.Parallel()
	for _, section := range sections {
		all := allChoices(func(path string) bool { return strings.HasPrefix(path, section) })
		together := 20
		if *long {
			together = 2
		}
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			tryAll(t, cover(all, together))
		})
	}
	t.Run("sections", func(t *testing.T) { tryAll(t, acrossSections) })
	if *long {
		t.Run("all", func(t *testing.T) { tryAll(t, cover(allChoices(func(string) bool { return true }), 8)) })
	}
}

// acrossSections are settings of several sections that were wrong together, or might be.
var acrossSections = []values{
	{"scope.mode": "ids", "upstream.max_connections": "1", "upstream.queue.max": "0"}, // readings took each other's connection
	largest,
	{"scope.mode": "both", "scope.refresh": "1ms", "upstream.eject.for": "1ms", "upstream.timeouts.idle": "1ms", "policy.cut_after": "1ms"},
}

// largest are the largest values that there may be.
var largest = values{
	"listen.max_header_bytes": "1MiB", "listen.max_body_bytes": "1GiB", "listen.max_upload_bytes": "1TiB", "listen.max_connections": "2147483647",
	"listen.max_connections_per_ip": "2147483647", "listen.timeouts.read": "24h", "listen.timeouts.write": "24h", "listen.timeouts.idle": "24h",
	"listen.timeouts.body": "24h", "listen.timeouts.upload": "24h", "upstream.max_connections": "2147483647", "upstream.max_url_bytes": "1MiB",
	"upstream.queue.max": "2147483647", "upstream.queue.for": "24h", "upstream.eject.failures": "2147483647", "upstream.eject.for": "24h",
	"upstream.timeouts.dial": "24h", "upstream.timeouts.first_byte": "24h", "upstream.timeouts.idle": "24h", "upstream.timeouts.silence": "24h",
	"scope.mode": "both", "scope.refresh": "24h", "scope.max_staleness": "168h", "policy.max_ids": "1048576", "policy.max_resolved": "1048576",
	"policy.max_depth": "64", "policy.cut_after": "24h", "limits.per_token.rate": "2147483647/s", "limits.per_token.burst": "2147483647",
	"limits.per_account.concurrent": "2147483647", "audit.max_size": "1TiB", "audit.keep": "10000", "shutdown.drain": "24h",
}

// allChoices returns what every choice of the settings that are wanted sets.
func allChoices(wanted func(path string) bool) (all []values) {
	for _, row := range config.Reference() {
		for i := range choices[row.Path] {
			if wanted(row.Path) {
				all = append(all, choices[row.Path][i].assign(row.Path))
			}
		}
	}
	return all
}

// cover returns settings that take up to n of the choices each, so that each two which can be
// together are together somewhere. What contradicts each other never is; what would stop the
// gateway is, with one other.
func cover(all []values, n int) (out []values) {
	r := rand.New(rand.NewPCG(1, 2))
	open := map[[2]int]bool{}
	for i := range all {
		for j := range i {
			both, fits := join(all[j], all[i])
			switch {
			case !fits:
			case outlookOf(both).faulty(both):
				out = append(out, both)
			default:
				open[[2]int{j, i}] = true
			}
		}
	}
	for len(open) > 0 {
		pairs := slices.SortedFunc(maps.Keys(open), func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
		members := pairs[r.IntN(len(pairs))][:]
		next, _ := join(all[members[0]], all[members[1]])
		for _, i := range r.Perm(len(all)) {
			fresh := slices.ContainsFunc(members, func(m int) bool { return open[[2]int{min(i, m), max(i, m)}] })
			joined, fits := join(next, all[i])
			if fits && fresh && len(members) < n && !slices.Contains(members, i) && !outlookOf(joined).faulty(joined) {
				next, members = joined, append(members, i)
			}
		}
		for _, i := range members {
			for _, j := range members {
				delete(open, [2]int{i, j})
			}
		}
		out = append(out, next)
	}
	return out
}

// join returns both, and whether they agree.
func join(a, b values) (values, bool) {
	both := maps.Clone(a)
	for path, value := range b {
		if was, set := both[path]; set && was != value {
			return nil, false
		}
		both[path] = value
	}
	return both, true
}

func tryAll(t *testing.T, all []values) {
	for i, v := range all {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			s := newTrial(t, v)
			defer func() {
				if t.Failed() {
					t.Logf("with the settings\n\t%s", s)
				}
			}()
			s.try()
		})
	}
}

// try starts the gateway and sends every trialRequest, or sees it refused by check and serve alike.
func (s *trial) try() {
	code, _, said := once(s.t, "check", "-c", s.file())
	g, err := s.serve()
	if (err != nil) != (code != exitOK) {
		s.t.Errorf("check ends with %d and says %q, serve with %v", code, said, err)
	}
	if wants := s.o.faulty(s.values); wants != (err != nil) {
		s.t.Errorf("got %v, want a fault: %v", err, wants)
	}
	if err != nil {
		return
	}
	s.awaitReady()
	for _, probes := range [][]trialRequest{trialReads, trialWrites, trialOwn} {
		for i := range probes {
			s.judge(&probes[i])
		}
	}
	s.create()
	s.observe()
	s.useMQTT()
	s.exhaust()
	s.wait()
	s.end(g)
	s.readLog()
	s.readAudit()
}

// awaitReady waits until the gateway says that it is ready.
func (s *trial) awaitReady() {
	s.t.Helper()
	var text string
	for range 1000 {
		var status int
		if status, text = s.askAdmin("GET", "/readyz"); status == 200 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("it does not become ready: %s", text)
}

func (s *trial) askAdmin(method, path string) (int, string) {
	s.t.Helper()
	req, _ := http.NewRequest(method, s.admin+path, nil)
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// judge sends a request and compares its answer.
func (s *trial) judge(p *trialRequest) *reply {
	s.t.Helper()
	r, err := s.send(p)
	// The check of an endpoint may hold the only connection, and nobody may wait for it.
	for range 200 {
		if err != nil || s.o.backendConns != 1 || !s.o.noQueue || !strings.Contains(r.text, "the backend is busy") {
			break
		}
		s.account(p, r)
		time.Sleep(10 * time.Millisecond)
		r, err = s.send(p)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", p.name, err)
	}
	w := p.want(s.o)
	for _, fault := range w.faults(r) {
		s.t.Errorf("%s: %s (%.300s)", p.name, fault, r.text)
	}
	s.account(p, r)
	if p.key != rootKey && strings.Contains(r.text, "foreign") {
		s.t.Errorf("%s: the answer shows what is foreign: %s", p.name, r.text)
	}
	s.secrets(p.name, r.text+fmt.Sprint(r.header))
	key := upstreamKey
	if s.o.callersKey {
		key = p.key
	}
	if r.sentHeaders != "" && !strings.Contains(r.sentHeaders, "FlespiToken "+key+"}") {
		s.t.Errorf("%s: the backend gets another credential: %s", p.name, r.sentHeaders)
	}
	if named := strings.Contains(r.sentHeaders, "x-aclgate-token"); r.sentHeaders != "" && named != s.o.identity {
		s.t.Errorf("%s: the backend is told who asks: %v", p.name, named)
	}
	if passes := strings.Contains(r.sentHeaders, "custom"); r.sentHeaders != "" && passes != s.o.passesCustom {
		s.t.Errorf("%s: x-custom is passed: %v", p.name, passes)
	}
	return r
}

// account counts what the limits have counted.
func (s *trial) account(p *trialRequest, r *reply) {
	switch {
	case r.status == 401 || p.key == "" && p.method != "OPTIONS" && p.target != "/readyz":
		s.strangers++
	case !p.isRefusedEarly:
		s.used[p.key]++
	}
}

// secrets looks for keys.
func (s *trial) secrets(what, text string) {
	for _, key := range settingsKeys {
		if strings.Contains(text, key) {
			s.t.Errorf("%s holds a key (%.3s…)", what, key)
		}
	}
}

// create makes a device, reads it at once and deletes it.
func (s *trial) create() {
	s.t.Helper()
	made := s.judge(&trialRequest{name: "a creation", key: fleetKey, method: "POST", target: "/gw/devices", body: `[{"name":"new"}]`,
		want: func(*outlook) wanted { return wanted{status: 200, denied: ids()} }})
	if len(made.rows) != 1 {
		s.t.Fatalf("nothing was created: %s", made.text)
	}
	id := made.rows[0]
	if !strings.Contains(made.text, `"cid":11`) {
		s.t.Errorf("a creation is of another account: %s", made.text)
	}
	here := func(*outlook) wanted { return wanted{status: 200, rows: ids(id), denied: ids()} }
	path := fmt.Sprintf("/gw/devices/%d", id)
	s.judge(&trialRequest{name: "what was created", key: fleetKey, method: "GET", target: path, want: here})
	s.judge(&trialRequest{name: "a deletion", key: fleetKey, method: "DELETE", target: path, want: here})
	s.judge(&trialRequest{name: "what was deleted", key: fleetKey, method: "GET", target: path, want: func(o *outlook) wanted {
		if o.mode == config.ScopeHeader {
			return wanted{status: 404, rows: ids(), denied: ids(id)}
		}
		return wanted{status: 403, rows: ids(), denied: ids(id)}
	}})
}

// observe asks the admin listener.
func (s *trial) observe() {
	s.t.Helper()
	if status, text := s.askAdmin("GET", "/metrics"); status != 200 || !strings.Contains(text, "aclgate_requests_total") {
		s.t.Errorf("/metrics: got %d %.200s", status, text)
	} else {
		s.secrets("/metrics", text)
	}
	want := 404
	if s.o.adminKey {
		want = 200
	}
	if status, text := s.askAdmin("POST", "/reload"); status != want {
		s.t.Errorf("/reload: got %d %s, want %d", status, text, want)
	}
}

// exhaust sends requests until the limits are reached, where they are.
func (s *trial) exhaust() {
	s.t.Helper()
	token, account := s.o.perToken, s.o.perAccount
	size := func(b bound) int { return max(b.burst, 1) }
	ask := func(key string, most, used, refused int) (passed int) {
		for i := range most + 2 {
			r, err := s.send(&trialRequest{key: key, method: "GET", target: "/auth/info"})
			switch {
			case err != nil:
				s.t.Fatal(err)
			case i+used < most && r.status != refused || i+used >= most && r.status != 429:
				s.t.Errorf("request %d of %s, %d permitted: got %d", i+used, key, most, r.status)
				return passed
			case r.status == 429:
				return passed
			}
			passed++
		}
		return passed
	}
	first := 0
	if token.slow {
		first = ask("guest-key-one", size(token), 0, 200)
	}
	if account.slow {
		if left := size(account) - first; token.slow && left > size(token) {
			s.t.Errorf("the account has %d requests left, the token only %d", left, size(token))
		}
		ask("guest-key-two", size(account)-first, 0, 200)
	}
	if s.o.strangers.slow {
		ask("nobody-has-this-key", size(s.o.strangers), s.strangers, 401)
	}
}

// wait holds a request at the backend and sends another one, where one excludes the other.
func (s *trial) wait() {
	s.t.Helper()
	status := 0
	switch {
	case s.o.perToken.concurrent, s.o.perAccount.concurrent:
		status = 429
	case s.o.backendConns == 1 && !s.o.twoURLs && (s.o.noQueue || s.o.shortQueue):
		status = 503
	}
	if status == 0 || s.o.perToken.slow || s.o.perAccount.slow {
		return
	}
	mark, held := s.backend.Mark(), make(chan struct{})
	s.mu.Lock()
	s.held = held
	s.mu.Unlock()
	first := &trialRequest{key: fleetKey, method: "GET", target: "/gw/calcs/21"}
	ended := make(chan error, 1)
	go func() {
		r, err := s.send(first)
		if err == nil && r.status != 200 {
			err = fmt.Errorf("got %d", r.status)
		}
		ended <- err
	}()
	for range 1000 {
		if len(s.backend.Since(mark)) > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if r, err := s.send(&trialRequest{key: fleetKey, method: "GET", target: "/gw/devices/101"}); err != nil || r.status != status {
		s.t.Errorf("beside another request: got %+v %v, want %d", r, err, status)
	}
	close(held)
	if err := <-ended; err != nil {
		s.t.Errorf("the request that was held: %v", err)
	}
}

// readLog looks at what was logged.
func (s *trial) readLog() {
	text := s.log.String()
	s.secrets("the log", text)
	if serves := strings.Contains(text, "serving"); serves != slices.Contains([]string{"debug", "info"}, s.o.level) {
		s.t.Errorf("the log at level %s: %s", s.o.level, text)
	}
	for line := range strings.Lines(text) {
		if s.o.logText != strings.HasPrefix(line, "time=") || !s.o.logText && !json.Valid([]byte(line)) {
			s.t.Errorf("a line of the log has another format: %s", line)
		}
		short := s.o.backendConns == 1 && s.o.noQueue && strings.Contains(line, "no connection free")
		if strings.Contains(line, "panic") || strings.Contains(line, "ERROR") || strings.Contains(line, "cannot") && !short {
			s.t.Errorf("the log has: %s", line)
		}
	}
}

// readAudit looks at the audit log.
func (s *trial) readAudit() {
	text, err := os.ReadFile(filepath.Join(s.folder, "audit.jsonl"))
	if s.o.audit != (err == nil) {
		s.t.Errorf("the audit log: got %v, want one: %v", err, s.o.audit)
	}
	if err != nil {
		return
	}
	s.secrets("the audit log", string(text))
	if denied := strings.Contains(string(text), `"deny"`); !denied {
		s.t.Error("no denial is in the audit log")
	}
	differs := s.o.unenforced || s.values["policy.shadow"] != "" // which is always written
	if allowed := strings.Contains(string(text), `"allow"`); allowed != (s.o.auditsAll || differs) {
		s.t.Errorf("requests that were allowed are in the audit log: %v", allowed)
	}
}
