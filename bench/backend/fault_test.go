package backend

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRecorder: what is kept is what was on the wire, not what fasthttp makes of it.
func TestRecorder(t *testing.T) {
	s, url := start(t, DemoWorld(), Options{Record: 2})
	mark := s.Mark()
	c := dial(t, url)
	const head = "Host: a\r\nx-LOWER:  v \r\nAuthorization: one\r\nauthorization: two\r\nContent-Length: 2\r\n\r\n"
	fmt.Fprintf(c, "PUT /gw/./x%%2f..?a=%%41&&b HTTP/1.1\r\n%s{}", head)
	answer := make([]byte, 12)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 400" {
		t.Errorf("two credentials: got %q, %v, want a 400", answer, err)
	}
	got := s.Since(mark)
	if len(got) != 1 {
		t.Fatalf("got %d requests, want 1", len(got))
	}
	r := got[0]
	want := []Header{{"Host", "a"}, {"x-LOWER", "v"}, {"Authorization", "one"}, {"authorization", "two"}, {"Content-Length", "2"}}
	if r.Method != "PUT" || r.Target != "/gw/./x%2f..?a=%41&&b" || !slices.Equal(r.Header, want) || string(r.Body) != "{}" || r.Size != 2 {
		t.Errorf("got %+v", r)
	}
	if !strings.HasPrefix(head, r.Head) || !strings.Contains(r.Head, "x-LOWER:  v \r\n") {
		t.Errorf("got head %q, want %q", r.Head, head)
	}
	if a := r.Get("AUTHORIZATION"); !slices.Equal(a, []string{"one", "two"}) {
		t.Errorf("got %q", a)
	}
	for range 3 {
		ask(t, url, "GET /gw/channels/all")
	}
	if n := len(s.Since(mark)); n != 2 {
		t.Errorf("got %d requests, want the 2 that the ring holds", n)
	}
	if a, b := len(s.Take()), len(s.Take()); a != 2 || b != 0 {
		t.Errorf("took %d, then %d, want 2 and 0", a, b)
	}
}

func TestUpload(t *testing.T) {
	s, url := start(t, DemoWorld(), Options{Record: 1})
	body := bytes.Repeat([]byte("x"), maxBody+1000)
	resp, err := http.Post(url+"/gw/devices/101/media", "multipart/form-data; boundary=x", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if r := s.Take()[0]; resp.StatusCode != 200 || r.Size != int64(len(body)) || len(r.Body) != maxBody {
		t.Errorf("got %d, %d bytes of which %d kept", resp.StatusCode, r.Size, len(r.Body))
	}
}

func TestFaults(t *testing.T) {
	s, url := start(t, DemoWorld(), Options{})
	const path = "/gw/channels/2024?fields=id"
	whole := result(`{"id":2024}`)
	for _, r := range []struct {
		name   string
		c      Canned
		status int
		body   string
		broken bool
	}{
		{"delay", Canned{Delay: time.Millisecond}, 200, whole, false},
		{"status", Canned{Status: 503, Header: []Header{{"Retry-After", "7"}}, Body: []byte("no")}, 503, "no", false},
		{"cut", Canned{Cut: 5}, 200, whole[:5], true},
		{"status, cut", Canned{Status: 200, Body: []byte("abcdef"), Cut: 3}, 200, "abc", true},
		{"raw", Canned{Raw: []byte("HTTP/1.1 299 Odd\r\n\r\nhello")}, 299, "hello", false},
	} {
		s.SetFault(func(req *Request) *Canned {
			if req.Target == path {
				return &r.c
			}
			return nil
		})
		resp, err := http.Get(url + path)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != r.status || string(body) != r.body || (err != nil) != r.broken {
			t.Errorf("%s: got %d %q %v, want %d %q", r.name, resp.StatusCode, body, err, r.status, r.body)
		}
	}
	s.SetFault(nil)
	play(t, url, []row{{"GET " + path, 200, whole}})
}

// TestCutStream: a chunked answer that is cut has no final chunk.
func TestCutStream(t *testing.T) {
	s, url := start(t, DemoWorld(), Options{})
	s.SetFault(func(*Request) *Canned { return &Canned{Cut: 50_000} })
	resp, err := http.Get(url + `/gw/devices/101/messages?data={"count":10000}`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n < 45_000 || n > 50_000 {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

// TestHang: Close ends what would never be answered, and a second Close and a late Serve do no
// harm.
func TestHang(t *testing.T) {
	s, url := start(t, DemoWorld(), Options{})
	arrived := make(chan struct{})
	s.SetFault(func(*Request) *Canned { close(arrived); return &Canned{Hang: true} })
	failed := make(chan error)
	go func() {
		resp, err := http.Post(url+"/gw/channels", "", nil) // not repeated by the client
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-arrived
	s.Close()
	if err := <-failed; err == nil {
		t.Error("got an answer, want none")
	}
	s.Close()
	if _, err := s.Start("127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	s.Close()
}
