package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// cuts is a source that gives its bytes in pieces whose sizes follow a pattern.
type cuts struct {
	bytes   []byte
	pattern []byte
	turn    int
}

func (c *cuts) interim() {}
func (c *cuts) settled() {}

func (c *cuts) Read(p []byte) (int, error) {
	if len(c.bytes) == 0 {
		return 0, io.EOF
	}
	size := len(c.bytes)
	if len(c.pattern) > 0 {
		size = 1 + int(c.pattern[c.turn%len(c.pattern)])
		c.turn++
	}
	n := copy(p[:min(len(p), size)], c.bytes)
	c.bytes = c.bytes[n:]
	return n, nil
}

// outcome is all that a caller learns from one answer.
type outcome struct {
	status  int
	fields  string
	framing Framing
	length  int64
	body    string
	err     string
}

// read reads one answer; look asks for the buffered body before each read.
func read(src *cuts, size int, look bool) outcome {
	a := &Answer{stream: stream{src: src, buf: getBuffer(smallBuffer)}}
	defer a.Close()
	if err := a.readHead(); err != nil {
		return outcome{err: kindText(a.fail(err))}
	}
	a.begin()
	o := outcome{status: a.Status, framing: a.Framing, length: a.Length}
	var body []byte
	p := make([]byte, size)
	for {
		if rest, whole := []byte(nil), false; look {
			if rest, whole = a.Buffered(); whole {
				body = append(body, rest...)
			}
		}
		n, err := a.Read(p)
		body = append(body, p[:n]...)
		if err != nil {
			o.err = kindText(err)
			break
		}
	}
	// Only now: reading the body must not have touched the head.
	for _, f := range a.Fields {
		o.fields += string(f.Name) + "=" + string(f.Value) + "\n"
	}
	o.body = string(body)
	return o
}

func kindText(err error) string {
	switch {
	case err == io.EOF:
		return "end"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	case errors.Is(err, ErrBroken):
		return "broken"
	default:
		return err.Error()
	}
}

// oracle reads the answer as net/http does and reports false if that refuses it.
func oracle(raw []byte) (*http.Response, string, bool) {
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		response, err := http.ReadResponse(r, &http.Request{Method: "GET"})
		if err != nil {
			return nil, "", false
		}
		if response.StatusCode >= 200 {
			body, err := io.ReadAll(response.Body)
			return response, string(body), err == nil
		}
	}
}

// FuzzAnswer checks that an answer means the same however the network cuts it, whatever the size of
// the caller's reads and whether or not it looks ahead; and that where net/http takes it too, both
// understood the same.
func FuzzAnswer(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed), []byte{0})
		f.Add([]byte(seed), []byte{1, 200, 7})
	}
	f.Fuzz(func(t *testing.T, raw, pattern []byte) {
		want := read(&cuts{bytes: raw}, 512, false)
		for _, got := range []outcome{
			read(&cuts{bytes: raw, pattern: pattern}, 512, false),
			read(&cuts{bytes: raw, pattern: pattern}, 3, true),
			read(&cuts{bytes: raw}, 1<<17, true),
		} {
			if got != want {
				t.Fatalf("got %+v\nwant %+v", got, want)
			}
		}
		if want.err != "end" {
			return
		}
		if response, body, accepted := oracle(raw); accepted {
			compare(t, want, response, body)
		}
	})
}

// compare checks status, body and those fields that net/http leaves as they came.
func compare(t *testing.T, o outcome, response *http.Response, body string) {
	t.Helper()
	if o.status != response.StatusCode || o.body != body {
		t.Fatalf("got %d %q, net/http %d %q", o.status, o.body, response.StatusCode, body)
	}
	for line := range strings.Lines(o.fields) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		name = textproto.CanonicalMIMEHeaderKey(name)
		if slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Trailer", "Connection"}, name) {
			continue
		}
		if !slices.Contains(response.Header[name], value) {
			t.Fatalf("%s: got %q, net/http %q", name, value, response.Header[name])
		}
	}
}

func seeds() []string {
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	return []string{
		"", "x", hi, hi + "x", ok + "\r\nhello", ok + "Content-Length: 3\r\n\r\nhi",
		ok + "a: b\r\nA: c\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 100 Continue\r\n\r\n" + hi,
		strings.Repeat("HTTP/1.1 103 x\r\na: b\r\n\r\n", 9) + hi,
		"HTTP/1.1 204 x\r\n\r\nbody", "HTTP/1.1 304 x\r\nContent-Length: 4\r\n\r\nbody",
		chunked + "3\r\nabc\r\n2;a=b\r\nde\r\n0\r\na: b\r\n\r\nmore",
		chunked + "3\r\nabcd\r\n0\r\n\r\n", chunked + "0000000000000003\r\nab", chunked + "8000000000000000\r\n",
		chunked + "1;" + strings.Repeat("x", maxLine) + "\r\na\r\n0\r\n\r\n",
		ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ok + "a: b\r\n c\r\n\r\n", ok + "a : b\r\n\r\n", ok + "a: b\n\r\n\r\n",
		ok + "big: " + strings.Repeat("b", smallBuffer-60) + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		ok + "big: " + strings.Repeat("b", maxHead) + "\r\n\r\n",
		ok + "Content-Length: 20000\r\n\r\n" + strings.Repeat("z", 20000),
		chunked + "4e20\r\n" + strings.Repeat("z", 20000) + "\r\n0\r\n\r\n",
	}
}
