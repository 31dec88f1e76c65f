package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// bounded is a gateway with small bounds for bodies.
func bounded(o *Options, l *policy.Engine, c *head.Config) {
	o.MaxBody, o.MaxUpload, l.MaxIDs = 64, 256, 3
	c.Hosts = []string{"gw.test"}
}

const formType = "Content-Type: multipart/form-data; boundary=x"

// tooBig is one byte more than the bound of a body.
var tooBig = `{"a":"` + strings.Repeat("x", 57) + `"}`

var bodyRows = []struct {
	name, key, method, target, body string
	fields                          []string
	status                          int
	text                            string // of a refusal
}{
	{"object", allKey, "PUT", "/gw/devices/1", ` {"a" : [1,{"b":null}]} `, nil, 200, ""},
	{"null", allKey, "POST", "/gw/groups/1/devices/2", "null", nil, 200, ""},
	{"array", allKey, "POST", "/gw/devices", `[{"name":"a"},{}]`, nil, 200, ""},
	{"empty array", allKey, "POST", "/gw/devices", `[]`, nil, 200, ""},
	{"whatever the type says", allKey, "PUT", "/gw/devices/1", `{}`, []string{"Content-Type: text/xml"}, 200, ""},
	{"as large as may be", allKey, "PUT", "/gw/devices/1", tooBig[:6] + tooBig[7:], nil, 200, ""},
	{"too large", allKey, "PUT", "/gw/devices/1", tooBig, nil, 413, textTooLong},
	{"coded", allKey, "PUT", "/gw/devices/1", `{}`, []string{"Content-Encoding: gzip"}, 415, textCoding},
	{"not coded", allKey, "PUT", "/gw/devices/1", `{}`, []string{"Content-Encoding: Identity"}, 200, ""},
	{"text", allKey, "PUT", "/gw/devices/1", `abc`, nil, 400, ""},
	{"data twice", allKey, "PUT", "/gw/devices/1?data={}", `{}`, nil, 400, "the body is given twice: as a body and as data"},
	{"move", "mover-of-device-1", "PUT", "/gw/devices/1/cid", `{"cid":11}`, nil, 200, ""},
	{"move by data", allKey, "PUT", `/gw/devices/1/cid?data={"cid":11}`, "", nil, 200, ""},
	{"move of nothing", allKey, "PUT", "/gw/devices/1/cid", ``, nil, 400, textMove},
	{"move and more", allKey, "PUT", "/gw/devices/1/cid", `{"cid":11,"a":1}`, nil, 400, textMove},
	{"move as a list", allKey, "PUT", "/gw/devices/1/cid", `[{"cid":11}]`, nil, 400, textMove},
	{"move to a word", allKey, "PUT", "/gw/devices/1/cid", `{"cid":"11"}`, nil, 400, textKey},
	{"id of no integer", allKey, "PUT", "/gw/devices/1", `{"id":1.0}`, nil, 400, textKey},
	{"null id", allKey, "PUT", "/gw/devices/1", `{"id":null}`, nil, 400, textKey},
	{"creation with an id", allKey, "POST", "/gw/devices", `[{},{"id":7}]`, nil, 400, "an id is not taken on creation"},
	{"upload", allKey, "POST", "/gw/devices/1/media", strings.Repeat("\x00", 256), []string{formType}, 200, ""},
	{"upload too large", allKey, "POST", "/gw/devices/1/media", strings.Repeat("\x00", 257), []string{formType}, 413, textTooLong},
	{"upload that is coded", allKey, "POST", "/gw/devices/1/media", "x", []string{formType, "Content-Encoding: br"}, 415, textCoding},
	{"JSON where uploads go", allKey, "POST", "/gw/devices/1/media", `{"a":1}`, nil, 200, ""},
	{"upload where none goes", allKey, "POST", "/gw/devices/1/messages", "--x\r\n", []string{formType}, 400, ""},
}

// What may be a body, and what becomes of it: it is forwarded byte for byte, as JSON, or refused
// before the backend hears of it.
func TestBodies(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), bounded)
	w.token("mover-of-device-1", "acl", 11, `[{"uri":"gw/devices","methods":["PUT"],"ids":[1],"submodules":[{"name":"cid","methods":["PUT"]}]}]`)
	for _, row := range bodyRows {
		got := w.call(row.key, row.method, row.target, row.body, row.fields...)
		sent := w.backend.take()
		if got.status != row.status || row.text != "" && got.body != own(row.status, strings.ReplaceAll(row.text, `"`, `\"`)) || len(sent) != bit(row.status == 200) {
			t.Errorf("%s: got %d %s and %d requests, want %d %s", row.name, got.status, got.body, len(sent), row.status, row.text)
			continue
		}
		if row.status != 200 {
			continue
		}
		kind := "application/json"
		if strings.HasPrefix(row.body, "\x00") {
			kind = "multipart/form-data; boundary=x"
		}
		if types := sent[0].all("Content-Type"); sent[0].body != row.body || row.body != "" && (len(types) != 1 || types[0] != kind) {
			t.Errorf("%s: forwarded %q", row.name, sent[0].raw)
		}
	}
}

var faultRows = []struct {
	name, sent string
	status     int
	part       string // of the answer
}{
	{"head, target", request(allKey, "GET", "/gw//1", "", "X-HTTP-Method: PUT"), 400, "override"},
	{"head, token", request("", "GET", "/gw/devices/1", "", "x-flespi-cid: 0"), 400, "x-flespi-cid"},
	{"head, OPTIONS", request("", "OPTIONS", "/gw/devices/1", "", "X-HTTP-Method: PUT"), 400, "override"},
	{"OPTIONS, target", request("", "OPTIONS", "/gw/devices/01", ""), 204, ""},
	{"target, token", request("", "PUT", "/gw/devices/1?x=1", "{}"), 400, "unknown query"},
	{"no length, syntax", "PUT /gw/devices/1 HTTP/1.1\r\nHost: gw.test\r\nAuthorization: " + readerKey + "\r\n\r\n", 411, ""},
	{"denied, no length", "PUT /gw/devices/3 HTTP/1.1\r\nHost: gw.test\r\nAuthorization: " + readerKey + "\r\n\r\n", 403, ""},
	{"data twice, token", request("", "PUT", "/gw/devices/1?data={}", "{}"), 400, "given twice"},
	{"OPTIONS, token", request("unknown-token", "OPTIONS", "/gw/devices/1", ""), 204, ""},
	{"token, account", request("unknown-token", "GET", "/gw/devices/1", "", "x-flespi-cid: 77"), 401, ""},
	{"token, route", request("", "GET", "/x/y", ""), 401, ""},
	{"account, route", request(allKey, "GET", "/x/y", "", "x-flespi-cid: 12"), 403, `'\/accounts\/12'`},
	{"account, method", request(allKey, "HEAD", "/gw/devices/1", "", "x-flespi-cid: 12"), 403, ""},
	{"account, closed", request(allKey, "GET", "/platform/tokens/all?cid=12", ""), 403, `'\/accounts\/12'`},
	{"method, closed", request(rootKey, "PATCH", "/platform/tokens", ""), 405, ""},
	{"closed, selector", request(rootKey, "GET", "/platform/tokens/1,2,3,4", ""), 403, `"code":8`},
	{"no entry, selector", request(readerKey, "DELETE", "/gw/devices/3,4,5,6", ""), 403, `"code":8`},
	{"too many, denied", request(readerKey, "GET", "/gw/devices/3,4,5,6", ""), 400, "too many ids"},
	{"denied, size", request(readerKey, "PUT", "/gw/devices/3", tooBig), 403, `"code":6`},
	{"too many, size", request(readerKey, "PUT", "/gw/devices/1,2,3,4", tooBig), 400, "too many ids"},
	{"denied, coding", request(readerKey, "PUT", "/gw/devices/3", "{}", "Content-Encoding: br"), 403, `"code":6`},
	{"size, coding", request(readerKey, "PUT", "/gw/devices/1", tooBig, "Content-Encoding: br"), 413, ""},
	{"coding, syntax", request(readerKey, "PUT", "/gw/devices/1", "{", "Content-Encoding: br"), 415, ""},
	{"size, syntax", request(readerKey, "PUT", "/gw/devices/1", "{"+tooBig), 413, ""},
	{"syntax, keys", request(readerKey, "PUT", "/gw/devices/1", `[{"cid":77},{]`), 400, ""},
	{"first element, second", request(readerKey, "PUT", "/gw/devices/1", `[{"cid":77},{"id":"x"}]`), 403, `'\/accounts\/77'`},
	{"first element, second", request(readerKey, "PUT", "/gw/devices/1", `[{"id":"x"},{"cid":77}]`), 400, textKey},
	{"keys, backend", request(readerKey, "PUT", "/gw/devices/1", `{"id":2}`), 403, `'\/devices\/2'`},
	{"syntax, backend", request(readerKey, "PUT", "/gw/devices/1", `{`), 400, ""},
	{"backend", request(readerKey, "PUT", "/gw/devices/1", `{}`), 502, ""},
}

// The first fault in the order of SPEC 2 is the whole answer: requests with two faults of
// neighbouring steps.
func TestOrderOfFaults(t *testing.T) {
	w := newWired(t, startWire(t, hangUp), bounded)
	for _, row := range faultRows {
		if got := w.raw(row.sent); got.status != row.status || !strings.Contains(got.body, row.part) {
			t.Errorf("%s: got %d %s, want %d %s", row.name, got.status, got.body, row.status, row.part)
		}
	}
}

// 100 Continue is sent when the body is wanted and not before: a request that is denied never gets
// it, and its connection ends, because nobody knows whether the body comes.
func TestExpect(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), bounded)
	ask := func(key, target, more string) string {
		return "PUT " + target + " HTTP/1.1\r\nHost: gw.test\r\nAuthorization: " + key + "\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" + more + "\r\n"
	}
	for _, row := range []struct {
		name, sent string
		status     int
	}{
		{"token", ask("unknown-token", "/gw/devices/1", ""), 401},
		{"denied", ask(readerKey, "/gw/devices/3", ""), 403},
		{"syntax", ask(readerKey, "/gw/devices/01", ""), 400},
		{"coding", ask(readerKey, "/gw/devices/1", "Content-Encoding: br\r\n"), 415},
		{"size", strings.Replace(ask(readerKey, "/gw/devices/1", ""), "Length: 2", "Length: 65", 1), 413},
		{"unknown path", ask(allKey, "/x/y", ""), 404},
	} {
		c := w.dial()
		io.WriteString(c, row.sent)
		text, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(text), fmt.Sprintf("HTTP/1.1 %d ", row.status)) || !strings.Contains(string(text), "Connection: close") {
			t.Errorf("%s: got %q, want %d and the end", row.name, text, row.status)
		}
	}
	c := w.dial()
	io.WriteString(c, ask(readerKey, "/gw/devices/1", ""))
	in := bufio.NewReader(c)
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(interim))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != interim {
		t.Fatalf("got %q, %v", got, err)
	}
	io.WriteString(c, "{}")
	if a := w.read(in, "PUT"); a.status != 200 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if r := w.backend.one(t); r.body != "{}" || len(r.all("Expect")) != 0 {
		t.Errorf("forwarded %q", r.raw)
	}
}

// listen.chunked: accept takes chunks, checks them, and frames the body anew.
func TestChunkedBodies(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), bounded, chunkedBodies)
	put := func(target, body string, fields ...string) string {
		return "POST " + target + " HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\nAuthorization: " + allKey + "\r\n" +
			strings.Join(append(fields, ""), "\r\n") + "Transfer-Encoding: chunked\r\n\r\n" + body
	}
	rows := []struct {
		name, sent string
		status     int
		body       string
	}{
		{"two chunks", put("/gw/devices", "2\r\n[{\r\n02\r\n}]\r\n0\r\n\r\n"), 200, "[{}]"},
		{"nothing", put("/gw/devices/1/calculate", "0\r\n\r\n"), 200, ""},
		{"too large", put("/gw/devices", "41\r\n"+strings.Repeat(" ", 65)+"\r\n0\r\n\r\n"), 413, ""},
		{"too large bit by bit", put("/gw/devices", strings.Repeat("1\r\n \r\n", 65)+"0\r\n\r\n"), 413, ""},
		{"syntax of a chunk", put("/gw/devices", "2\r\n[]x\r\n0\r\n\r\n"), 400, ""},
		{"syntax of a size", put("/gw/devices", "0x2\r\n[]\r\n0\r\n\r\n"), 400, ""},
		{"syntax of the text", put("/gw/devices", "1\r\n[\r\n0\r\n\r\n"), 400, ""},
		{"judged", put("/gw/devices", "c\r\n[{\"cid\":12}]\r\n0\r\n\r\n"), 403, ""},
		{"upload", put("/gw/devices/1/media", "3\r\nabc\r\n0\r\n\r\n", formType), 200, "3\r\nabc\r\n0\r\n\r\n"},
	}
	for _, row := range rows {
		got := w.raw(row.sent)
		sent := w.backend.take()
		if got.status != row.status || len(sent) != bit(row.status == 200) {
			t.Errorf("%s: got %d %s and %d requests, want %d", row.name, got.status, got.body, len(sent), row.status)
			continue
		}
		if len(sent) == 1 && sent[0].body != row.body {
			t.Errorf("%s: forwarded %q, want the body %q", row.name, sent[0].raw, row.body)
		}
	}
}

// A chunked upload is bounded too, though its length shows at its end only: the backend never gets
// the last chunk.
func TestChunkedUploadIsBounded(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), bounded, chunkedBodies)
	got := w.raw("POST /gw/devices/1/media HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\nAuthorization: " + allKey + "\r\n" +
		formType + "\r\nTransfer-Encoding: chunked\r\n\r\n101\r\n" + strings.Repeat("x", 257) + "\r\n0\r\n\r\n")
	if sent := w.backend.take(); got.status != 413 || got.body != own(413, textTooLong) || len(sent) != 0 {
		t.Errorf("got %d %s and %d whole requests", got.status, got.body, len(sent))
	}
}

// A body that stops in its middle is never forwarded.
func TestHalfBodies(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), chunkedBodies)
	for _, sent := range []string{
		"PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: " + allKey + "\r\nContent-Length: 3\r\n\r\n{}",
		"PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: " + allKey + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: " + allKey + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
	} {
		c := w.dial()
		io.WriteString(c, sent)
		c.(interface{ CloseWrite() error }).CloseWrite()
		text, _ := io.ReadAll(c)
		if n := len(w.backend.take()); n != 0 || strings.Contains(string(text), " 200 ") {
			t.Errorf("%q: got %q and %d requests at the backend", sent, text, n)
		}
	}
}

// A body of a GET means data: it is judged as data is, and forwarded in the query (SPEC 2, Head).
func TestBodiesOfGet(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), chunkedBodies)
	const path = "/gw/devices/1/messages"
	for _, row := range []struct {
		body   string
		status int
		target string // at the backend
	}{
		{`{"count":1}`, 200, path + "?data=%7B%22count%22:1%7D"},
		{` {"filter":"a b&+"} `, 200, path + "?data=+%7B%22filter%22:%22a+b%26%2B%22%7D+"},
		{`null`, 200, path}, {`{}`, 200, path}, {` { } `, 200, path}, {`   `, 200, path},
		{`[{"count":1}]`, 200, path + "?data=%5B%7B%22count%22:1%7D%5D"},
		{`{"cid":12}`, 400, ""}, {`{"Devices":[1]}`, 400, ""}, {`{"device_id":1}`, 400, ""},
		{`{"a":1,"a":2}`, 400, ""}, {`count=1`, 400, ""}, {`5`, 400, ""}, {`{}{}`, 400, ""},
	} {
		chunked := "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: " + allKey + "\r\nTransfer-Encoding: chunked\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(row.body), row.body)
		for _, sent := range []string{request(allKey, "GET", path, row.body), chunked} {
			got := w.raw(sent)
			reached := w.backend.take()
			if got.status != row.status || len(reached) != bit(row.status == 200) {
				t.Errorf("%s: got %d %s and %d requests", row.body, got.status, got.body, len(reached))
				continue
			}
			if len(reached) == 1 && (reached[0].target() != row.target || reached[0].body != "" || len(reached[0].all("Content-Type")) > 0) {
				t.Errorf("%s: forwarded %q, want %s", row.body, reached[0].raw, row.target)
			}
		}
	}
	for _, sent := range []string{
		request(allKey, "GET", path+"?data={}", "{}"), request(allKey, "GET", path, "{}", "Content-Encoding: gzip"),
	} {
		if got := w.raw(sent); got.status < 400 || len(w.backend.take()) > 0 {
			t.Errorf("%q: got %d", sent, got.status)
		}
	}
}

// What follows the head of a write without a length and begins no request is never left behind by a
// forwarded write, whether it came with the head or right behind it.
func TestUnframedBodies(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	head := func(method string) string {
		return method + " /gw/devices/1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: " + allKey + "\r\n\r\n"
	}
	next := "GET /gw/devices/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: " + allKey + "\r\n\r\n"
	for _, row := range []struct {
		name, sent string
		forwarded  int
	}{
		{"JSON", head("DELETE") + `{"from":1}`, 0},
		{"an array", head("POST") + `[{}]`, 0},
		{"behind empty lines", head("DELETE") + "\r\n\r\n{}", 0},
		{"a form", head("DELETE") + `a=b`, 0},
		{"beside data", strings.Replace(head("DELETE"), "/messages", "/messages?data=%7B%7D", 1) + `{"from":1}`, 0},
		{"an item", strings.Replace(head("PUT"), "/messages", "", 1) + `{"name":"x"}`, 0},
		{"a word of JSON", head("DELETE") + `null`, 0},
		{"chunks", head("DELETE") + "2\r\n{}\r\n0\r\n\r\n", 0},
		{"a request", head("DELETE") + next, 2},
		{"a request behind an empty line", head("DELETE") + "\r\n" + next, 2},
		{"half a method", head("DELETE") + "GE", 1},
		{"nothing", head("DELETE"), 1},
		{"a read is judged by its head", head("GET") + `{"from":1}`, 1},
	} {
		c := w.dial()
		io.WriteString(c, row.sent)
		time.Sleep(20 * time.Millisecond)
		c.(*net.TCPConn).CloseWrite()
		text, _ := io.ReadAll(c)
		sent := w.backend.take()
		if len(sent) != row.forwarded || row.forwarded == 0 && !strings.HasPrefix(string(text), "HTTP/1.1 400 ") {
			t.Errorf("%s: got %d requests at the backend and %.60q", row.name, len(sent), text)
		}
	}
	// The body is a packet of its own, and is there when the gateway looks.
	for range 5 {
		c := w.dial()
		text := head("DELETE")
		io.WriteString(c, text[:len(text)-1])
		io.WriteString(c, text[len(text)-1:]+`{`)
		io.WriteString(c, `"from":1}`)
		if text, _ := io.ReadAll(c); !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || len(w.backend.take()) > 0 {
			t.Errorf("got %q", text)
		}
	}
}
