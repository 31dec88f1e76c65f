package proxy

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// deniedThree is the error for the device that the reader may not touch.
const deniedThree = `{"code":6,"id":3,"reason":"access denied to '\/devices\/3'"}`

// chunked frames text in pieces.
func chunked(fields string, pieces ...string) string {
	b := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n"
	for _, p := range pieces {
		b += strconv.FormatInt(int64(len(p)), 16) + "\r\n" + p + "\r\n"
	}
	return b + "0\r\n\r\n"
}

// long is an answer that streams: longer than what is held.
func longResult(errors string) string {
	return `{` + errors + `"result":[` + strings.Repeat(`{"id":1,"name":"0123456789"},`, 5000) + `{"id":2}]}`
}

var plainLong = longResult("")

var mergeRows = []struct{ name, answer, want string }{
	{"short", plain(`{"result":[{"id":1}]}`), `{"errors":[` + deniedThree + `],"result":[{"id":1}]}`},
	{"empty object", plain(`{}`), `{"errors":[` + deniedThree + `]}`},
	{"white space", plain(` { "result" : [] } ` + "\n"), ` {"errors":[` + deniedThree + `], "result" : [] } ` + "\n"},
	{"errors there", plain(`{"errors":[{"code":2}],"result":[]}`), `{"errors":[{"code":2},` + deniedThree + `],"result":[]}`},
	{"empty errors there", plain(`{"errors":[],"result":[]}`), `{"errors":[` + deniedThree + `],"result":[]}`},
	{"errors by escape", plain(`{"result":[],"\u0065rrors":[1]}`), `{"result":[],"\u0065rrors":[1,` + deniedThree + `]}`},
	{"errors further down", plain(`{"result":[{"errors":[1]}]}`), `{"errors":[` + deniedThree + `],"result":[{"errors":[1]}]}`},
	{"content type with parameters", reply("200 OK", `{}`, "Content-Type: Application/JSON ; charset=utf-8"), `{"errors":[` + deniedThree + `]}`},
	{"created", reply("201 Created", `{}`, "Content-Type: application/json"), `{"errors":[` + deniedThree + `]}`},
	{"identity", plain(`{}`, "Content-Encoding: identity"), `{"errors":[` + deniedThree + `]}`},
	{"chunked and short", chunked("", `{"res`, `ult":[]}`), `{"errors":[` + deniedThree + `],"result":[]}`},
	{"long", plain(plainLong), plainLong[:len(plainLong)-1] + `,"errors":[` + deniedThree + `]}`},
	{
		"long, errors first", plain(longResult(`"errors":[{"code":2}],`)),
		longResult(`"errors":[{"code":2},` + deniedThree + `],`),
	},
	{"long and chunked", chunked("", plainLong[:70000], plainLong[70000:]), plainLong[:len(plainLong)-1] + `,"errors":[` + deniedThree + `]}`},
}

// Errors of denied items are merged into an answer: in front of a short one, behind a long one,
// into the errors that it has.
func TestMerge(t *testing.T) {
	for _, row := range mergeRows {
		w := textWired(t, row.answer)
		for _, version := range []string{"1.1", "1.0"} {
			sent := request(readerKey, "GET", "/gw/devices/1,2,3", "")
			text := w.exchange(strings.Replace(sent, "HTTP/1.1", "HTTP/"+version, 1))
			_, body, _ := strings.Cut(text, "\r\n\r\n")
			if version == "1.1" {
				got := w.raw(sent)
				body = got.body
				if got.header.Get("x-aclgate-denied") != "" {
					t.Errorf("%s: x-aclgate-denied beside errors", row.name)
				}
			}
			want := row.want
			if row.name == "chunked and short" {
				body, want = sorted(body), sorted(want)
			}
			if body != want {
				t.Errorf("%s, HTTP/%s: got …%.300q, want …%.300q", row.name, version, tail(body), tail(want))
			}
		}
		for _, r := range w.backend.take() {
			if r.target() != "/gw/devices/1,2" {
				t.Errorf("%s: forwarded %s", row.name, r.line)
			}
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-300):] }

// sorted makes two places for the errors one: in a chunked answer it depends on how the pieces
// arrive.
func sorted(body string) string {
	errors := `"errors":[` + deniedThree + `]`
	return strings.NewReplacer(errors+",", "", ","+errors, "").Replace(body) + errors
}

// An answer that takes no errors passes untouched, with the denied ids beside it.
func TestDeniedBesideTheAnswer(t *testing.T) {
	json := "Content-Type: application/json"
	rows := []struct {
		name, answer string
		status       int
		body         string
	}{
		{"text", reply("200 OK", `{}`, "Content-Type: text/plain"), 200, `{}`},
		{"no type", reply("200 OK", `{}`), 200, `{}`},
		{"problem", reply("200 OK", `{}`, "Content-Type: application/problem+json"), 200, `{}`},
		{"gzip", plain(gzipped(`{}`), "Content-Encoding: gzip"), 200, gzipped(`{}`)},
		{"array", plain(`[1]`), 200, `[1]`},
		{"string", plain(`"x"`), 200, `"x"`},
		{"nothing", plain(``), 200, ``},
		{"no JSON", plain(`{"result":`), 200, `{"result":`},
		{"errors no array", plain(`{"errors":{"a":1}}`), 200, `{"errors":{"a":1}}`},
		{"errors null", plain(`{"errors":null}`), 200, `{"errors":null}`},
		{"errors twice", plain(`{"errors":[],"errors":[]}`), 200, `{"errors":[],"errors":[]}`},
		{"errors twice, once by escape", plain(`{"errors":[],"\u0065rrors":[]}`), 200, `{"errors":[],"\u0065rrors":[]}`},
		{"BOM", plain("\xef\xbb\xbf{}"), 200, "\xef\xbb\xbf{}"},
		{"second value", plain(`{}{}`), 200, `{}{}`},
		{"refused", reply("403 Forbidden", `{"errors":[]}`, json), 403, `{"errors":[]}`},
		{"broken", reply("500 Oops", `{}`, json), 500, `{}`},
		{"partial", reply("206 Partial Content", `{}`, json), 206, `{}`},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, ``},
		{"long text", reply("200 OK", longResult(""), "Content-Type: text/plain"), 200, longResult("")},
		{"long array", plain("[" + longResult("") + "]"), 200, "[" + longResult("") + "]"},
		{"long, errors no array", plain(longResult(`"errors":1,`)), 200, longResult(`"errors":1,`)},
		{"chunked text", strings.Replace(chunked("", `{}`), "application/json", "text/csv", 1), 200, `{}`},
		{"chunked array", chunked("", `[1]`), 200, `[1]`},
	}
	for _, row := range rows {
		w := textWired(t, row.answer)
		got := w.call(readerKey, "GET", "/gw/devices/1,3", "")
		if got.status != row.status || got.body != row.body || got.header.Get("x-aclgate-denied") != "3" {
			t.Errorf("%s: got %d %.200q denied %q, want %d %.200q", row.name, got.status, got.body,
				got.header.Get("x-aclgate-denied"), row.status, row.body)
		}
	}
}

// x-aclgate-denied names a hundred ids at most.
func TestManyDenied(t *testing.T) {
	list := func(from, to int) (ids string) {
		for i := from; i <= to; i++ {
			ids += "," + strconv.Itoa(i)
		}
		return ids[1:]
	}
	w := textWired(t, plain(`[]`))
	for _, row := range []struct {
		last int
		want string
	}{{3, "3"}, {102, list(3, 102)}, {103, list(3, 102) + ",…"}, {900, list(3, 102) + ",…"}} {
		got := w.call(readerKey, "GET", "/gw/devices/1,"+list(3, row.last), "")
		if v := got.header.Get("x-aclgate-denied"); v != row.want {
			t.Errorf("%d: got %q, want %q", row.last, v, row.want)
		}
	}
}

// A fault that shows after the beginning was sent ends the connection without the last chunk: an
// answer without the errors must not look whole.
func TestFaultAfterTheBeginning(t *testing.T) {
	begun := make(chan struct{})
	for _, rest := range []string{`],"errors":1}`, `]}{}`, `],"errors":[],"errors":[]}`, `]`, `}`, "\x00"} {
		for _, version := range []string{"1.1", "1.0"} {
			w := newWired(t, startWire(t, func(c net.Conn, _ *wireRequest) {
				first := `{"result":[1`
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n"+first+"\r\n")
				<-begun
				io.WriteString(c, strconv.FormatInt(int64(len(rest)), 16)+"\r\n"+rest+"\r\n0\r\n\r\n")
			}))
			c := w.dial()
			io.WriteString(c, strings.Replace(request(readerKey, "GET", "/gw/devices/1,3", ""), "HTTP/1.1", "HTTP/"+version, 1))
			var got strings.Builder
			for room := make([]byte, 4096); !strings.Contains(got.String(), `[1`); {
				n, err := c.Read(room)
				got.Write(room[:n])
				if err != nil {
					t.Fatalf("%q: %v", rest, err)
				}
			}
			begun <- struct{}{}
			more, err := io.ReadAll(c)
			whole := strings.HasSuffix(string(more), "0\r\n\r\n")
			if version == "1.0" {
				whole = err == nil // the end is all that tells
			}
			if whole {
				t.Errorf("%q, HTTP/%s: the answer looks whole: %q", rest, version, more)
			}
		}
	}
}

// What described the answer before it was changed does not describe it after.
func TestMergedIsUnlabelled(t *testing.T) {
	labels := []string{"ETag: \"a\"", "Content-MD5: x", "Digest: x", "Content-Digest: x", "Repr-Digest: x", "Accept-Ranges: bytes", "Last-Modified: x"}
	for _, body := range []string{`{}`, longResult("")} {
		w := textWired(t, plain(body, labels...))
		for target, want := range map[string]int{"/gw/devices/1": 1, "/gw/devices/1,3": 0} {
			got := w.call(readerKey, "GET", target, "")
			for _, l := range labels {
				name, _, _ := strings.Cut(l, ":")
				if n := len(got.header.Values(name)); n != want {
					t.Errorf("%s: got %s %d times, want %d", target, name, n, want)
				}
			}
		}
	}
	untouched := textWired(t, plain(`[]`, labels...))
	if got := untouched.call(readerKey, "GET", "/gw/devices/1,3", ""); got.header.Get("ETag") == "" {
		t.Errorf("an answer that passes untouched lost its ETag")
	}
	w := textWired(t, plain(`{}`, "etag: \"a\""))
	if got := w.call(readerKey, "GET", "/gw/devices/1,3", ""); len(got.header.Values("ETag")) != 0 {
		t.Errorf("etag in small letters stays")
	}
}

// Denied ids of every selector are named, in path order, by their own types.
func TestMergeOfSeveralSelectors(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	w.token("calcs-and-devices", "acl", 11, `[{"uri":"gw/calcs","methods":["GET"],"ids":[5]},{"uri":"gw/devices","methods":["GET"],"ids":[1]}]`)
	got := w.call("calcs-and-devices", "GET", "/gw/calcs/6,5/devices/9,1/intervals/all", "")
	want := `{"errors":[{"code":6,"id":6,"reason":"access denied to '\/calcs\/6'"},{"code":6,"id":9,"reason":"access denied to '\/devices\/9'"}],"result":[]}`
	r := w.backend.one(t)
	if got.body != want || r.target() != "/gw/calcs/5/devices/1/intervals/all" {
		t.Errorf("%s: got %s, want %s", r.line, got.body, want)
	}
}
