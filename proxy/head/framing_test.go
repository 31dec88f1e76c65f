package head

import (
	"fmt"
	"strings"
	"testing"
)

// verdictRow is a stream and what verdicts says of it.
type verdictRow struct{ name, stream, want string }

func checkVerdicts(t *testing.T, config Config, rows []verdictRow) {
	t.Helper()
	l := quietListener(t, config)
	for _, row := range rows {
		if got := verdicts(l, row.stream); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

// Ensure that a body is exactly as long as its head says, and what follows it is the next request
// or nothing.
func TestFraming(t *testing.T) {
	next := get()
	checkVerdicts(t, Config{}, []verdictRow{
		{"no body", get() + next, `GET / | "" <nil> | GET / | "" <nil> | end`},
		{"length", put("Content-Length: 2") + "{}" + next, `PUT / | "{}" <nil> | GET / | "" <nil> | end`},
		{"length cut", put("Content-Length: 3") + "{}", `PUT / | "{}" unexpected EOF | close`},
		{"zero length on GET", get("Content-Length: 0") + next, `GET / | "" <nil> | GET / | "" <nil> | end`},
		{"body on GET", get("Content-Length: 2") + "{}" + next, `GET / | "{}" <nil> | GET / | "" <nil> | end`},
		{"body on HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "400 | close"},
		{"body on OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "400 | close"},
		{"PUT without length", put() + next, `PUT / | "" <nil> | GET / | "" <nil> | end`},
		{"PATCH without length", "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", `PATCH / | "" <nil> | end`},
		{"POST without length", "POST / HTTP/1.1\r\nHost: a\r\n\r\n" + next, `POST / | "" <nil> | GET / | "" <nil> | end`},
		{"DELETE without length", "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n" + next, `DELETE / | "" <nil> | GET / | "" <nil> | end`},
		{"DELETE with body", "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1", `DELETE / | "1" <nil> | end`},
	})
}

// Ensure that a length has one spelling, and that nothing beside it frames a body.
func TestMalformedFraming(t *testing.T) {
	checkVerdicts(t, Config{}, []verdictRow{
		{"length list", put("Content-Length: 2, 2") + "{}", "400 | close"},
		{"length signed", put("Content-Length: +2") + "{}", "400 | close"},
		{"length negative", put("Content-Length: -1") + "{}", "400 | close"},
		{"length hex", put("Content-Length: 0x2") + "{}", "400 | close"},
		{"length leading zero", put("Content-Length: 02") + "{}", "400 | close"},
		{"length empty", put("Content-Length:") + "{}", "400 | close"},
		{"length overflow", put("Content-Length: 21000000000000000000") + "{}", "400 | close"},
		{"length 2^63", put("Content-Length: 9223372036854775808") + "{}", "400 | close"},
		{"chunked", put("Transfer-Encoding: chunked") + "0\r\n\r\n", "411 | close"},
		{"chunked with length", put("Content-Length: 2", "Transfer-Encoding: chunked") + "{}", "411 | close"},
		{"identity", put("Transfer-Encoding: identity"), "411 | close"},
	})
}

// Ensure that connections end where they have to, and expectations are met or refused.
func TestEnds(t *testing.T) {
	next := get()
	checkVerdicts(t, Config{}, []verdictRow{
		{"expectation", put("Expect: 100-continue", "Content-Length: 2") + "{}", `PUT / | "{}" <nil> | end`},
		{"expectation without body", get("Expect: 100-continue") + next, `GET / | "" <nil> | GET / | "" <nil> | end`},
		{"other expectation", put("Expect: x 100-continue", "Content-Length: 2") + "{}", "417 | close"},
		{"HTTP/1.0 ends the connection", "GET / HTTP/1.0\r\nHost: a\r\n\r\n" + next, `GET / | "" <nil> | close`},
		{"close ends it", get("Connection: close") + next, `GET / | "" <nil> | close`},
		{"a fault ends it", get("Bad Name: 1") + next, "400 | close"},
		{"head cut", "GET / HTTP/1.1\r\nHost: a\r\n", "end"},
		{"nothing", "", "end"},
		{"empty line alone", get() + "\r\n", `GET / | "" <nil> | end`},
	})
}

// Ensure that the reasons which clients are meant to act upon are spelled as promised.
func TestPromisedReasons(t *testing.T) {
	l := quietListener(t, Config{})
	rows := []struct{ stream, want string }{
		{put("Transfer-Encoding: chunked"), "chunked bodies are off here: send Content-Length"},
	}
	for _, row := range rows {
		if got := fault(l, row.stream).Error(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

// te is the header of a chunked body.
const te = "Transfer-Encoding: chunked"

// Ensure that chunked bodies, where they are taken, are read to their end and not further.
func TestChunked(t *testing.T) {
	ok := func(body string) string { return fmt.Sprintf(`PUT / | %q <nil> | GET / | "" <nil> | end`, body) }
	checkVerdicts(t, Config{Chunked: true}, []verdictRow{
		{"empty", put(te) + "0\r\n\r\n" + get(), ok("")},
		{"two chunks", put("Transfer-Encoding: \tCHUNKED ") + "2\r\n{ \r\nA\r\n         }\r\n0\r\n\r\n" + get(), ok("{          }")},
		{"padded size", put(te) + "00000002\r\n{}\r\n000\r\n\r\n" + get(), ok("{}")},
		{"trailer dropped", put(te) + "2\r\n{}\r\n0\r\nX-Checksum: abc\r\nY:\r\n\r\n" + get(), ok("{}")},
	})
}

// Ensure that chunked framing has one spelling, and that trailers say nothing that matters.
func TestMalformedChunks(t *testing.T) {
	rows := []struct {
		name, chunks, body string
		want               *Fault
	}{
		{"protected trailer", "2\r\n{}\r\n0\r\nAuthorization: x\r\n\r\n", "{}", errTrailer},
		{"protected with underscore", "0\r\nx_flespi_cid: 1\r\n\r\n", "", errTrailer},
		{"override trailer", "0\r\nX-Http-Method: PUT\r\n\r\n", "", errTrailer},
		{"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", "", errTrailer},
		{"control byte in a trailer", "0\r\nA: \x01\r\n\r\n", "", errTrailer},
		{"long trailer", "0\r\nA: " + strings.Repeat("x", 2000) + "\r\n\r\n", "", errTrailer},
		{"many trailers", "0\r\n" + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 5) + "\r\n", "", errTrailer},
		{"0x", "0x2\r\n{}\r\n0\r\n\r\n", "", errChunk},
		{"sign", "+2\r\n{}\r\n0\r\n\r\n", "", errChunk},
		{"extension", "2;a=b\r\n{}\r\n0\r\n\r\n", "", errChunk},
		{"space behind the size", "2 \r\n{}\r\n0\r\n\r\n", "", errChunk},
		{"nine digits", "000000002\r\n{}\r\n0\r\n\r\n", "", errChunk},
		{"no size", "\r\n{}\r\n0\r\n\r\n", "", errChunk},
		{"bare LF behind the size", "2\n{}\r\n0\r\n\r\n", "", errChunk},
		{"bare LF behind data", "2\r\n{}\n0\r\n\r\n", "{}", errChunk},
		{"data longer than its size", "1\r\n{}\r\n0\r\n\r\n", "{", errChunk},
		{"bare LF at the end", "0\r\n\n", "", errTrailer},
	}
	for _, row := range rows {
		want := fmt.Sprintf("PUT / | %q %v | close", row.body, row.want)
		checkVerdicts(t, Config{Chunked: true}, []verdictRow{{row.name, put(te) + row.chunks + get(), want}})
	}
}

// Ensure that a body is chunked in one way only.
func TestTransferEncoding(t *testing.T) {
	checkFaults(t, Config{Chunked: true}, []faultRow{
		{"with length", put(te, "Content-Length: 2"), errCoding},
		{"twice", put(te, te), errTwice},
		{"list", put("Transfer-Encoding: gzip, chunked"), errCoding},
		{"identity", put("Transfer-Encoding: identity"), errCoding},
		{"quoted", put(`Transfer-Encoding: "chunked"`), errCoding},
		{"on HTTP/1.0", "PUT / HTTP/1.0\r\nHost: a\r\n" + te + "\r\n\r\n", errCoding},
	})
}

// Ensure that what a handler leaves unread is dropped by its length or ends the connection, and is
// never served.
func TestUnreadBody(t *testing.T) {
	body := func(n int) string {
		return put(fmt.Sprintf("Content-Length: %d", n)) + strings.Repeat(get(), n/len(get())+1)[:n]
	}
	rows := []struct {
		name, stream string
		mustClose    bool
	}{
		{"short", body(100), false},
		{"64 KiB", body(64 << 10), false},
		{"longer", body(64<<10 + 1), true},
		{"awaits 100 Continue", put("Expect: 100-continue", "Content-Length: 2"), true},
		{"chunked", put("Transfer-Encoding: chunked") + "0\r\n\r\n", true},
		{"nearly full buffer", put("X: "+strings.Repeat("x", 4000), "Content-Length: 30000") + strings.Repeat("y", 30000), false},
	}
	l := quietListener(t, Config{Chunked: true})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := l.wrap(&script{stream: row.stream + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n", cut: whole})
			if !c.Next() || c.Head().Fault != nil {
				t.Fatal("there is no request")
			}
			if got := c.MustClose(); got != row.mustClose {
				t.Errorf("MustClose: got %v, want %v", got, row.mustClose)
			}
			next := c.Next()
			if next == row.mustClose {
				t.Fatalf("got another request: %v, want the connection to end: %v", next, row.mustClose)
			}
			if next && string(c.Head().Target) != "/next" {
				t.Errorf("got %s, want the request behind the body", c.Head().Target)
			}
		})
	}
}

// Ensure that 100 Continue is sent once, when the body is about to be read.
func TestContinue(t *testing.T) {
	s := &script{stream: put("Expect: 100-continue", "Content-Length: 2") + "{}", cut: whole}
	c := quietListener(t, Config{}).wrap(s)
	if !c.Next() {
		t.Fatal("there is no request")
	}
	if got := s.sent.String(); got != "" {
		t.Errorf("got %q before the body is read, want nothing", got)
	}
	for range 3 {
		_, _ = c.ReadBody(make([]byte, 1))
	}
	if got, want := s.sent.String(), "HTTP/1.1 100 Continue\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure that nobody else can read beside this package.
func TestReadIsNotForUse(t *testing.T) {
	c := quietListener(t, Config{}).wrap(&script{stream: get(), cut: whole})
	if n, err := c.Read(make([]byte, 64)); n != 0 || err == nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
}
