package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// understood is a request as net/http reads it.
type understood struct{ method, path, body string }

// readByNetHTTP reads requests off raw until net/http refuses one or there is no more. It shares no
// code with the gateway.
func readByNetHTTP(raw []byte) (all []understood) {
	in := bufio.NewReader(bytes.NewReader(raw))
	for {
		// RFC 9112 2.2 has servers ignore an empty line here; net/http does not.
		for range 2 {
			if p, _ := in.Peek(2); string(p) == "\r\n" {
				in.Discard(2)
			}
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return all // a request without its end is none
		}
		path := r.URL.Path
		if r.Method == "GET" && len(path) > 1 { // SPEC 2, Target
			path = strings.TrimSuffix(path, "/")
		}
		if r.URL.Opaque != "" {
			path = r.URL.Opaque
		}
		all = append(all, understood{r.Method, path, string(body)})
	}
}

// forwardedAs is what reached the backend, in the same terms. Lists of ids are printed anew by the
// gateway: each id counts once.
func forwardedAs(r *wireRequest) understood {
	path, _, _ := strings.Cut(r.target(), "?")
	path, err := url.PathUnescape(path)
	if err != nil {
		path = "not decodable: " + path
	}
	return understood{r.method(), path, r.body}
}

// samePath compares paths; lists of ids as sets.
func samePath(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	return slices.EqualFunc(x, y, func(p, q string) bool {
		if p == q {
			return true
		}
		return idList.MatchString(p) && idList.MatchString(q) && slices.Equal(idSet(p), idSet(q))
	})
}

// sameBody compares bodies; that of a GET travels as data, unless it says nothing.
func sameBody(u *understood, sent *wireRequest) bool {
	if u.method != "GET" || u.body == "" {
		return u.body == sent.body
	}
	_, query, _ := strings.Cut(sent.target(), "?")
	values, err := url.ParseQuery(query)
	nothing := regexp.MustCompile(`^\s*(null|\{\s*\})?\s*$`).MatchString(u.body)
	return err == nil && sent.body == "" && (nothing || values.Get("data") == u.body)
}

func idSet(list string) []string {
	ids := strings.Split(list, ",")
	slices.Sort(ids)
	return slices.Compact(ids)
}

// netHTTPFault returns what is wrong if the gateway forwarded what net/http does not see in the
// same bytes: another request, or one more, or one behind something that net/http refuses.
func netHTTPFault(raw []byte, sent []wireRequest) string {
	read := readByNetHTTP(raw)
	for i := range sent {
		got := forwardedAs(&sent[i])
		at := slices.IndexFunc(read, func(u understood) bool {
			return u.method == got.method && samePath(u.path, got.path) && sameBody(&u, &sent[i])
		})
		if at < 0 {
			return "forwarded " + sent[i].line + ", which net/http does not read there"
		}
		read = read[at+1:] // in their order
	}
	return ""
}

// Whatever net/http refuses is not forwarded, and what is forwarded is what net/http understands,
// in the same order: method, path after one decoding, body. The answers are well-formed, refusals
// are 4xx or 5xx in JSON.
func FuzzNetHTTPAgrees(f *testing.F) {
	for _, file := range []string{"testdata/attacks.jsonl", "testdata/clients.jsonl", "testdata/more.jsonl"} {
		for _, row := range readLines[rawCase](f, file) {
			f.Add(withKey(row.bytes()))
		}
	}
	b := startText(f, plain("{}"))
	g := newFixture(f, b.url, withResolver, chunkedBodies, func(o *Options, _ *policy.Engine, c *head.Config) {
		c.Read, c.Idle = time.Second, time.Second
	})
	g.accounts([2]int64{1, 0})
	g.token(rootKey, "master", 1, "")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 16<<10 {
			t.Skip()
		}
		text := talk(t, g.addr, raw)
		if fault := netHTTPFault(raw, withoutOwn(b.take())); fault != "" {
			t.Errorf("%q: %s", raw, fault)
		}
		good, fault := readAnswers(text)
		if fault != "" {
			t.Errorf("%q: %s", raw, fault)
		}
		if read := len(readByNetHTTP(raw)); good > read {
			t.Errorf("%q: %d requests were granted, net/http reads %d", raw, good, read)
		}
	})
}

// withKey makes a case one of a token that may do everything: what is judged here is reading.
func withKey(raw []byte) []byte {
	if i := bytes.Index(raw, []byte("TOK")); i >= 0 && i+64 <= len(raw) {
		return slices.Concat(raw[:i], []byte(rootKey), raw[i+64:])
	}
	return raw
}

func withoutOwn(log []wireRequest) []wireRequest {
	return slices.DeleteFunc(log, func(r wireRequest) bool { return ownLookup(&r) })
}

// talk sends bytes, ends its side and reads to the end.
func talk(t *testing.T, addr string, raw []byte) []byte {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Skip(err) // this machine's ports are used up
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.Write(raw)
	c.(*net.TCPConn).CloseWrite()
	text, _ := io.ReadAll(c)
	return text
}

// readAnswers reads answers as net/http does. It returns how many are no refusal, and what is wrong
// with them.
func readAnswers(text []byte) (good int, fault string) {
	in := bufio.NewReader(bytes.NewReader(text))
	for {
		if _, err := in.Peek(1); err != nil {
			return good, ""
		}
		resp, err := http.ReadResponse(in, &http.Request{Method: "HEAD"})
		switch {
		case err != nil:
			return good, "an answer cannot be read: " + err.Error()
		case resp.StatusCode >= 400 && resp.Header.Get("Content-Type") != "application/json":
			return good, "a refusal is not JSON"
		case resp.StatusCode >= 200 && resp.StatusCode < 400:
			good++
		}
		if resp.ContentLength > 0 && bytes.HasPrefix(peek(in), []byte("{")) {
			if _, err := io.CopyN(io.Discard, in, resp.ContentLength); err != nil {
				return good, "an answer is cut"
			}
		}
	}
}

func peek(in *bufio.Reader) []byte {
	p, _ := in.Peek(1)
	return p
}
