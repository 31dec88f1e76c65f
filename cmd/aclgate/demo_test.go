package main

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The demo has a broker: a token for two channels gets the state of these two.
func TestDemoHasABroker(t *testing.T) {
	mqtt, admin := freeAddr(t), freeAddr(t)
	p := start(t, "demo", "--listen", freeAddr(t), "--backend", freeAddr(t), "--admin", admin, "--mqtt", mqtt)
	p.await("http://"+admin+"/readyz", 200)
	c, code := dialMQTT(t, tcp(t, mqtt), "demo-channels")
	if code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	c.send(packet(0x82, []byte{0, 9}, "flespi/state/+/channels/+/name", []byte{0}))
	var got []string
	for len(got) < 2 {
		first, body := c.next()
		switch first & 0xf0 {
		case 0x30:
			got = append(got, string(body[2:2+binary.BigEndian.Uint16(body)]))
		case 0:
			t.Fatalf("the connection ended after %v", got)
		}
	}
	slices.Sort(got)
	if want := []string{"flespi/state/gw/channels/2025/name", "flespi/state/gw/channels/2026/name"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if code := c.subscribe("lamp"); code != 0x80 {
		t.Errorf("SUBACK %#x for an own topic, want 0x80", code)
	}
	c.send(packet(0x32, "lamp", []byte{0, 7, 'x'}))
	if first, _ := c.next(); first != 0x40 {
		t.Errorf("got %#x, want PUBACK", first)
	}
	master, _ := dialMQTTAs(t, tcp(t, mqtt), "lamp", "demo-master")
	master.subscribe("lamp")
	master.send(packet(0x30, "lamp", []byte("x")))
	if got := master.message(); got != "lamp" {
		t.Errorf("demo-master got %s", got)
	}
	dialMQTT(t, tcp(t, mqtt), "no-such-key")
	for _, want := range []string{
		"demo-channels   connect   -                                 allow  0x00 permitted\n",
		"demo-channels   subscribe flespi/state/+/channels/+/name    narrow 0x00 broker gets flespi/state/gw/channels/2025/name and 1 more\n",
		"demo-channels   deliver   flespi/state/gw/channels/2026/name allow  0x00 permitted\n",
		"demo-channels   subscribe lamp                              deny   0x87 no-topic-entry\n",
		"demo-channels   publish   lamp                              deny   0x87 no-topic-entry\n",
		"demo-master     publish   lamp                              allow  0x00 permitted\n",
		"demo-master     deliver   lamp                              allow  0x00 permitted\n",
		"-               connect   -                                 deny   0x05 token-unknown\n",
	} {
		p.shows(want)
	}
	_, port, _ := net.SplitHostPort(mqtt)
	for !strings.Contains(p.stdout.String(), "Ctrl-C ends the demo") {
		time.Sleep(time.Millisecond)
	}
	if want := "mosquitto_sub -h 127.0.0.1 -p " + port + " -V 5 -u demo-channels -v -t 'flespi/state/gw/channels/+/name'\n"; !strings.Contains(p.stdout.String(), want) {
		t.Errorf("the intro does not say %q: %s", want, p.stdout.String())
	}
}

// shows waits for a text on the screen, which is behind what clients see.
func (p *program) shows(want string) {
	p.tb.Helper()
	for range 200 {
		if strings.Contains(p.stdout.String(), want) {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	p.tb.Errorf("the screen does not show %q:\n%s", want, p.stdout.String())
}

// tutorialListing is how the tutorial's master lists its tokens.
const tutorialListing = `{"result":[{"acl":[],"key":"demo-master"},` +
	`{"acl":[{"ids":[2025,2026],"methods":["GET","PUT"],"uri":"gw/channels"}],"key":"demo-channels"},` +
	`{"acl":[{"methods":["GET"],"uri":"storage"}],"key":"demo-storage"},` +
	`{"acl":[{"methods":["GET","POST","PUT","DELETE"],"uri":"storage/containers"}],"key":"demo-containers"}]}`

// The vendor's published tutorial plays on the demo word for word, its list of tokens too (SPEC 10.4),
// and each request shows in one line what became of it (SPEC 8).
func TestDemoPlaysTheTutorial(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../proxy/testdata/tutorial.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	listen, admin, mqtt := freeAddr(t), freeAddr(t), freeAddr(t)
	p := start(t, "demo", "--listen", listen, "--backend", freeAddr(t), "--admin", admin, "--mqtt", mqtt)
	p.await("http://"+admin+"/readyz", 200)
	for !strings.Contains(p.stdout.String(), "Ctrl-C ends the demo") {
		time.Sleep(time.Millisecond) // the addresses are served before the intro is shown
	}
	for _, want := range []string{demoKey, "\n  demo-channels    GET and PUT of the channels 2025 and 2026\n"} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("the intro does not show %q:\n%s", want, p.stdout.String())
		}
	}
	intro := strings.Count(p.stdout.String(), "\n")
	if _, got := call(t, "demo-master", "GET", "http://"+listen+"/platform/customer/tokens/all?fields=key,acl", ""); got != tutorialListing {
		t.Errorf("the list of tokens: got %s, want %s", got, tutorialListing)
	}
	played := 1
	for line := range strings.Lines(string(text)) {
		var row struct {
			ID, Token, Method, URL, Answer string
			Body                           *string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		body := ""
		if row.Body != nil {
			body = *row.Body
		}
		if _, got := call(t, row.Token, row.Method, "http://"+listen+row.URL, body); got != row.Answer {
			t.Errorf("%s: got %s, want %s", row.ID, got, row.Answer)
		}
		played++
	}
	odd := []string{"HEAD /gw/devices HTTP/1.1\r\nHost: x", "OPTIONS /gw/devices HTTP/1.1\r\nHost: x", "BREW /pot HTTP/1.1\r\nHost: x", "\x1b[2J"}
	for _, head := range odd {
		sendRaw(t, listen, head+"\r\nConnection: close\r\n\r\n")
		played++
	}
	if code := p.end(); code != exitOK {
		t.Errorf("the demo ended with %d, want %d", code, exitOK)
	}
	screen := p.stdout.String()
	if got := strings.Count(screen, "\n") - intro; got != played {
		t.Errorf("%d lines for %d requests:\n%s", got, played, screen)
	}
	for _, want := range []string{
		"demo-channels   GET    /gw/channels/all?fields=id           narrow 200  backend gets /gw/channels/2025,2026?fields=id",
		"demo-channels   GET    /gw/channels/2024?fields=id          deny   403  denied-items",
		"demo-storage    GET    /gw/channels/all?fields=id           deny   403  no-entry",
		"-               HEAD   /gw/devices                          deny   401  ",
		"-               OPTIONS /gw/devices                          ",
		"-               BREW   /pot                                 deny   401  ",
		"-               ?      ?                                    deny   400  ",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen does not show %q:\n%s", want, screen)
		}
	}
	if strings.Contains(p.stderr.String(), "demo-master") {
		t.Error("a key is in the log")
	}
}

// With a database the lines that the demo prints revoke and make tokens while it runs, and nothing of
// it is left behind.
func TestDemoRevokes(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	listen, admin := freeAddr(t), freeAddr(t)
	p := start(t, "demo", "--listen", listen, "--backend", freeAddr(t), "--admin", admin, "--mqtt", freeAddr(t))
	p.await("http://"+admin+"/readyz", 200)
	p.shows("Ctrl-C ends the demo")
	lines := regexp.MustCompile(`(?m)^  aclgate (-c .*)$`).FindAllStringSubmatch(p.stdout.String(), -1)
	if len(lines) != 5 {
		t.Fatalf("got %q, want five lines to try", lines)
	}
	asks := func(key string, want int) {
		t.Helper()
		if got, body := call(t, key, "GET", "http://"+listen+"/gw/channels/all?fields=id", ""); got != want {
			t.Errorf("%s: got %d %s, want %d", key, got, body, want)
		}
	}
	asks("demo-channels", 200)
	for _, line := range lines {
		text, _, _ := strings.Cut(line[1], "#")
		before, quoted, _ := strings.Cut(text, "'")
		args := strings.Fields(before)
		if quoted != "" {
			args = append(args, strings.TrimSuffix(quoted, "'"))
		}
		code, out, errs := once(t, args...)
		if code != exitOK {
			t.Errorf("%v: got %d %s%s", args, code, out, errs)
		}
		switch slices.Concat(args, []string{""})[3] { // behind -c, the file and a command
		case "disable":
			asks("demo-channels", 401)
		case "revoke":
			asks("demo-containers", 401)
		case "new":
			asks(regexp.MustCompile(`(?m)^[A-Za-z0-9]{64}$`).FindString(out), 200)
		}
	}
	asks("demo-master", 200)
	if code := p.end(); code != exitOK {
		t.Errorf("the demo ended with %d: %s", code, p.stderr.String())
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if code, _, errs := once(t, "demo", "--store", "postgres"); code != exitUsage || !strings.Contains(errs, "--store") {
		t.Errorf("got %d %s", code, errs)
	}
}

// A benchmark that is ended by a signal takes its folder away.
func TestBenchStoreEnds(t *testing.T) {
	folder := t.TempDir()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "bench", "store")
	cmd.Env = append(os.Environ(), childVariable+"=1", "TMPDIR="+folder)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	there := func() int {
		made, _ := filepath.Glob(filepath.Join(folder, "aclgate-bench-*", "bench.db"))
		return len(made)
	}
	for began := time.Now(); there() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("it makes no database")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it says that it has measured")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The tour plays a customer's life, shows each request with its answer and nothing of it twice, and
// the demo goes on.
func TestDemoTour(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	listen := freeAddr(t)
	p := start(t, "demo", "--tour", "--listen", listen, "--backend", freeAddr(t), "--admin", freeAddr(t), "--mqtt", freeAddr(t))
	p.shows("The demo goes on (Ctrl-C ends it):\n")
	shown := p.stdout.String()
	for _, want := range []string{
		"\n  demo-master: GET /platform/customer/tokens/all?fields=key,acl\n  200 " + tutorialListing + "\n",
		"\n    {\"name\":\"Corner Shop\",\"limit_id\":1}\n  200 {\"result\":[{\"cid\":1,\"id\":13,\"limit_id\":1,\"name\":\"Corner Shop\"}]}\n",
		"\n  demo-master for account 13: POST /platform/tokens?fields=id,cid,info\n",
		"\n  token 5: GET /gw/devices/all?fields=id,name\n  200 {\"result\":[]}\n",
		"\n  403 {\"errors\":[{\"code\":403,\"reason\":\"limit devices_count of account 13 is reached (1)\"}]}\n",
		"\n  403 {\"errors\":[{\"code\":403,\"reason\":\"limit tokens_count of account 13 is reached (1)\"}]}\n",
		"\n  demo-master: DELETE /platform/tokens/5\n  200 {\"result\":[{\"id\":5}]}\n  token 5: GET /gw/devices/all?fields=id,name\n  401 ",
		`{"by":"token","event":"deleted","id":5,"token_id":1}`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the tour does not show %q:\n%s", want, shown)
		}
	}
	key := regexp.MustCompile(`"key":"([A-Za-z0-9]{64})"`).FindStringSubmatch(shown)
	if key == nil {
		t.Fatalf("the tour shows no new key: %s", shown)
	}
	if got, body := call(t, key[1], "GET", "http://"+listen+"/gw/devices/all", ""); got != 401 {
		t.Errorf("the revoked token: got %d %s", got, body)
	}
	p.shows("/gw/devices/all ") // a request that is not the tour's has its line
	if rest := strings.TrimPrefix(p.stdout.String(), shown); strings.Count(rest, "\n") != 1 {
		t.Errorf("one request, and %q", rest)
	}
	if code := p.end(); code != exitOK {
		t.Errorf("the demo ended with %d: %s", code, p.stderr.String())
	}
	if code, _, errs := once(t, "demo", "--tour", "--store", "file"); code != exitUsage || !strings.Contains(errs, "--tour") {
		t.Errorf("got %d %s", code, errs)
	}
}

// Several gateways of a demo obey one database: what is revoked by the line that it prints is refused
// by all of them, and at the end nothing is left in the database. One that has a store is left alone.
func TestDemoOfReplicas(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := newShared(t)
	listen, admin := freePorts(t, 3), freePorts(t, 3)
	args := []string{"demo", "--replicas", "3", "--postgres", d.URL(d.database, "root"), "--listen", listen[0], "--admin", admin[0], "--backend", freeAddr(t), "--mqtt", freeAddr(t)}
	p := start(t, args...)
	for _, a := range admin {
		p.await("http://"+a+"/readyz", 200)
	}
	p.shows("Ctrl-C ends the demo")
	ask := func(want int) {
		t.Helper()
		for i, a := range listen {
			if got, body := call(t, "demo-storage", "GET", "http://"+a+"/storage/containers/all", ""); got != want {
				t.Errorf("gateway %d: got %d %s, want %d", i+1, got, body, want)
			}
		}
	}
	ask(200)
	line := regexp.MustCompile(`(?m)^  aclgate (-c .* token revoke 3 --wait)$`).FindStringSubmatch(p.stdout.String())
	if line == nil {
		t.Fatalf("got no line to try: %s", p.stdout.String())
	}
	if code, out, errs := once(t, strings.Fields(line[1])...); code != exitOK {
		t.Errorf("%s: got %d %s%s", line[1], code, out, errs)
	}
	ask(401)
	p.shows("3: demo-storage")
	if code, _, errs := once(t, append(args, "--backend", freeAddr(t))...); code != exitFailed || !strings.Contains(errs, "there is a store in this database already") {
		t.Errorf("a second demo there: got %d %s", code, errs)
	}
	if code := p.end(); code != exitOK {
		t.Errorf("the demo ended with %d: %s", code, p.stderr.String())
	}
	if got := d.SQL(d.database, "SELECT to_regnamespace('aclgate') IS NULL"); got != "t" {
		t.Error("the store of the demo is left behind")
	}
}

// freePorts returns addresses one port apart that nobody listens on.
func freePorts(t *testing.T, n int) (all []string) {
	t.Helper()
	for range 100 {
		all = all[:0]
		for first := freeAddr(t); len(all) < n; {
			l, err := net.Listen("tcp", nth(first, len(all)))
			if err != nil {
				break
			}
			all = append(all, l.Addr().String())
			l.Close()
		}
		if len(all) == n {
			return all
		}
	}
	t.Fatal("no free ports in a row")
	return nil
}
