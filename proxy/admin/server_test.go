package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"aclgate/metrics/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const adminKey = "admin-key-0123456789"

// start serves o on loopback until the test ends, and returns its address.
func start(t *testing.T, o Options) (*Server, string) {
	t.Helper()
	if o.Gatherer == nil {
		o.Gatherer = prometheus.NewRegistry()
	}
	s := New(o)
	s.Handle(http.MethodDelete, "/below/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Answer(w, r.URL.Path)
	}))
	return s, serve(t, s)
}

func serve(t *testing.T, s *Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// ask sends one request on a connection of its own; headers are name, value.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// everything is a listener with all resources.
func everything() Options {
	return Options{Key: adminKey, Reload: func() error { return nil }, Ring: record.NewRing(1)}
}

func TestWhatNeedsATokenDoesNotExistWithoutOne(t *testing.T) {
	o := everything()
	o.Key = ""
	_, addr := start(t, o)
	for _, row := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/metrics", 200}, {"GET", "/healthz", 200}, {"GET", "/readyz", 200}, {"HEAD", "/readyz", 200},
		{"POST", "/reload", 404}, {"GET", "/reload", 404}, {"GET", "/why/000000000000000000000000", 404},
		{"DELETE", "/below/x", 404}, {"GET", "/", 404}, {"GET", "/debug/pprof/", 404}, {"GET", "/healthz/", 404},
	} {
		for _, auth := range []string{"Bearer " + adminKey, "Bearer ", ""} {
			if resp, _ := ask(t, row.method, "http://"+addr+row.path, "Authorization", auth); resp.StatusCode != row.want {
				t.Errorf("%s %s: got %d, want %d", row.method, row.path, resp.StatusCode, row.want)
			}
		}
	}
}

func TestWhoIsAdmitted(t *testing.T) {
	_, addr := start(t, everything())
	for _, row := range []struct {
		headers []string
		want    int
	}{
		{[]string{"Authorization", "Bearer " + adminKey}, 200},
		{[]string{"Authorization", "bearer " + adminKey}, 200},
		{[]string{"Authorization", adminKey}, 200},
		{nil, 401},
		{[]string{"Authorization", ""}, 401},
		{[]string{"Authorization", "Bearer"}, 401},
		{[]string{"Authorization", "Bearer " + adminKey + "x"}, 401},
		{[]string{"Authorization", "Bearer " + adminKey[1:]}, 401},
		{[]string{"Authorization", "Bearer  " + adminKey}, 401},
		{[]string{"Authorization", "Basic " + adminKey}, 401},
		{[]string{"Authorization", adminKey, "Authorization", adminKey}, 401},
		{[]string{"Cookie", "token=" + adminKey, "X-Token", adminKey}, 401},
	} {
		resp, text := ask(t, "POST", "http://"+addr+"/reload?token="+adminKey, row.headers...)
		if resp.StatusCode != row.want {
			t.Errorf("%q: got %d, want %d", row.headers, resp.StatusCode, row.want)
		}
		if row.want != 401 {
			continue
		}
		want := `{"errors":[{"code":401,"reason":"invalid or missing admin token"}],"result":[]}` + "\n"
		if text != want || resp.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("got %q with %v, want %q", text, resp.Header, want)
		}
	}
}

// Only the key itself opens, bare or after one "Bearer ".
func FuzzGuard(f *testing.F) {
	g := newGuard(adminKey)
	f.Add("Bearer " + adminKey)
	f.Add("bEARER  " + adminKey)
	f.Fuzz(func(t *testing.T, value string) {
		want := value == adminKey || strings.HasSuffix(value, " "+adminKey) && strings.EqualFold(value[:len(value)-len(adminKey)], "Bearer ")
		r := &http.Request{Header: http.Header{"Authorization": {value}}}
		if got := g.admits(r); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	})
}

func TestMethods(t *testing.T) {
	_, addr := start(t, everything())
	for _, row := range []struct {
		method, path, key string
		want              int
		allow             string
	}{
		{"GET", "/reload", adminKey, 405, "POST"},
		{"GET", "/reload", "wrong", 401, ""}, // the token comes first
		{"POST", "/why/x", adminKey, 405, "GET, HEAD"},
		{"POST", "/metrics", "", 405, "GET, HEAD"},
		{"OPTIONS", "/healthz", "", 405, "GET, HEAD"},
		{"DELETE", "/below/some/where", adminKey, 200, ""},
		{"POST", "/reload/", adminKey, 404, ""},
	} {
		resp, _ := ask(t, row.method, "http://"+addr+row.path, "Authorization", row.key, "Origin", "http://evil.example")
		if got := resp.Header.Get("Allow"); resp.StatusCode != row.want || got != row.allow {
			t.Errorf("%s %s: got %d, Allow %q, want %d, %q", row.method, row.path, resp.StatusCode, got, row.want, row.allow)
		}
	}
}

// No answer may be cached, guessed at, or read by a page of another origin.
func TestHeadersOfEveryAnswer(t *testing.T) {
	_, addr := start(t, everything())
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/reload", "/nowhere", "/why/x"} {
		resp, text := ask(t, "GET", "http://"+addr+path, "Origin", "http://evil.example")
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: got %s, want no CORS", path, name)
			}
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %v, want no-store and nosniff", path, resp.Header)
		}
		if path != "/metrics" && !json.Valid([]byte(text)) {
			t.Errorf("%s: got %q, want JSON", path, text)
		}
	}
}

// Whoever shuts down while an answer is under way still lets it be heard.
func TestShutdownWaitsForAnswers(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	o := everything()
	o.Reload = func() error { entered <- true; <-leave; return nil }
	s, addr := start(t, o)
	status := make(chan int, 1)
	go func() {
		resp, _ := ask(t, "POST", "http://"+addr+"/reload", "Authorization", adminKey)
		status <- resp.StatusCode
	}()
	<-entered
	s.http.RegisterOnShutdown(sync.OnceFunc(func() { close(leave) }))
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if got := <-status; got != 200 {
		t.Errorf("got %d, want 200", got)
	}
}

// Whoever does not want to wait any longer does not have to.
func TestShutdownGivesUpWithItsContext(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	o := everything()
	o.Reload = func() error { entered <- true; <-leave; return nil }
	s, addr := start(t, o)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "POST /reload HTTP/1.1\r\nHost: x\r\nAuthorization: "+adminKey+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if text, _ := io.ReadAll(c); len(text) != 0 {
		t.Errorf("got %q, want the connection closed", text)
	}
	close(leave)
}
