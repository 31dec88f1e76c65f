package upstream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// answerRow is what a backend sends to a GET and what must become of it.
type answerRow struct {
	name   string
	answer string
	want   string // "status body"; empty: the exchange or the body fails as broken
	keep   bool   // the connection is used again
	hold   bool   // the backend leaves it open even if it is not to be used again
}

const ok = "HTTP/1.1 200 OK\r\n"

// Ensure that every well-framed answer is read as it was framed.
func TestGoodAnswers(t *testing.T) {
	long := strings.Repeat("x", 100000)
	checkAnswers(t, []answerRow{
		{"length", ok + "Content-Length: 5\r\n\r\nhello", "200 hello", true, false},
		{"length 0", ok + "Content-Length: 0\r\n\r\n", "200 ", true, false},
		{"long body", ok + "Content-Length: 100000\r\n\r\n" + long, "200 " + long, true, false},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 ", true, false},
		{"empty reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "404 ", true, false},
		{"names and white space", ok + "cONTENT-lENGTH:\t 2 \t\r\nEmpty:\r\nhigh: \xff\r\n\r\nhi", "200 hi", true, false},
		{"chunks", ok + "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;a=b;c\r\nde\r\n0\r\n\r\n", "200 abcde", true, false},
		{"chunk sizes", ok + "Transfer-Encoding: chunked\r\n\r\n000000000000000a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n", "200 01234567890123456789", true, false},
		{"trailers are dropped", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 9\r\nx: y\r\n\r\n", "200 a", true, false},
		{"large chunk", ok + "Transfer-Encoding: chunked\r\n\r\n186a0\r\n" + long + "\r\n0\r\n\r\n", "200 " + long, true, false},
		{"until close", ok + "\r\nhello", "200 hello", false, false},
		{"one 100", "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", "200 hi", true, false},
		{"eight 103", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 8) + ok + "Content-Length: 2\r\n\r\nhi", "200 hi", true, false},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", true, false},
		{"304", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "304 ", true, false},
		{"redirects are answers", "HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", "302 ", true, false},
		{"500 with retry-after", "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}", "503 {}", true, false},
		{"200 lines", ok + strings.Repeat("a: b\r\n", 198) + "Content-Length: 0\r\n\r\n", "200 ", true, false},
		{"head of 60 kB", ok + "a: " + strings.Repeat("b", 60000) + "\r\nContent-Length: 2\r\n\r\nhi", "200 hi", true, false},
		{"head that just fits the buffer", ok + "a: " + strings.Repeat("b", smallBuffer-50) + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "200 a", true, false},
	})
}

// Ensure that what comes behind an answer is never read as the next one, and that a connection of
// which that may be expected is dropped though the backend leaves it open.
func TestLeftovers(t *testing.T) {
	next := ok + "Content-Length: 6\r\n\r\nforged"
	rows := []answerRow{
		{name: "behind a length", answer: hi + next, want: "200 hi"},
		{name: "behind length 0", answer: ok + "Content-Length: 0\r\n\r\n" + next, want: "200 "},
		{name: "behind the last chunk", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" + next, want: "200 a"},
		{name: "204 with a body", answer: "HTTP/1.1 204 No Content\r\n\r\n" + next, want: "204 "},
		{name: "204 that announces a body", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", want: "204 "},
		{name: "304 with a body", answer: "HTTP/1.1 304 Not Modified\r\n\r\n" + next, want: "304 "},
		{name: "304 that announces a body", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", want: "304 "},
		{name: "304 that announces chunks", answer: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", want: "304 "},
		{name: "one byte", answer: hi + "\r", want: "200 hi"},
		{name: "close announced", answer: ok + "Content-Length: 2\r\nConnection: x, Close\r\n\r\nhi", want: "200 hi"},
		{name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", want: "200 hi"},
		{name: "two lengths", answer: ok + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"},
		{name: "101", answer: "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
		{name: "bad chunk", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"},
	}
	for i := range rows {
		rows[i].hold = true
	}
	checkAnswers(t, rows)
}

// Ensure that what does not begin as an answer is none.
func TestBrokenStatus(t *testing.T) {
	checkAnswers(t, []answerRow{
		{name: "nothing", answer: ""},
		{name: "HTTP/0.9", answer: "<html>hello</html>"},
		{name: "TLS alert", answer: "\x15\x03\x01\x00\x02\x02\x0a"},
		{name: "ssh", answer: "SSH-2.0-OpenSSH_9\r\n"},
		{name: "cut status line", answer: "HTTP/1.1 20"},
		{name: "cut head", answer: ok + "Content-Length: 0\r\n"},
		{name: "HTTP/2.0", answer: "HTTP/2.0 200 OK\r\n\r\n"},
		{name: "HTTP/1.2", answer: "HTTP/1.2 200 OK\r\n\r\n"},
		{name: "http/1.1", answer: "http/1.1 200 OK\r\n\r\n"},
		{name: "two digits", answer: "HTTP/1.1 20 OK\r\n\r\n"},
		{name: "four digits", answer: "HTTP/1.1 2000 OK\r\n\r\n"},
		{name: "status 099", answer: "HTTP/1.1 099 OK\r\n\r\n"},
		{name: "status 600", answer: "HTTP/1.1 600 OK\r\n\r\n"},
		{name: "status +20", answer: "HTTP/1.1 +20 OK\r\n\r\n"},
		{name: "two spaces", answer: "HTTP/1.1  200 OK\r\n\r\n"},
		{name: "control byte in the reason", answer: "HTTP/1.1 200 O\x00K\r\n\r\n"},
		{name: "empty line first", answer: "\r\n" + ok + "\r\n"},
		{name: "101", answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
		{name: "nine 100", answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9) + ok + "Content-Length: 0\r\n\r\n"},
		{name: "1000 103", answer: strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + ok + "Content-Length: 0\r\n\r\n"},
		{name: "100 with a body", answer: "HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\nx" + ok + "\r\n"},
		{name: "100 and then nothing", answer: "HTTP/1.1 100 Continue\r\n\r\n"},
	})
}

// Ensure that heads which two readers could take differently are no answers.
func TestBrokenHeads(t *testing.T) {
	checkAnswers(t, []answerRow{
		{name: "bare LF", answer: "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
		{name: "one bare LF", answer: ok + "a: b\nContent-Length: 0\r\n\r\n"},
		{name: "LF ends the head", answer: ok + "Content-Length: 0\r\n\n"},
		{name: "bare CR", answer: ok + "a: b\rContent-Length: 0\r\n\r\n"},
		{name: "folding", answer: ok + "a: b\r\n c\r\nContent-Length: 0\r\n\r\n"},
		{name: "folding by tab", answer: ok + "a: b\r\n\tc\r\nContent-Length: 0\r\n\r\n"},
		{name: "space before the colon", answer: ok + "Content-Length : 0\r\n\r\n"},
		{name: "empty name", answer: ok + ": x\r\nContent-Length: 0\r\n\r\n"},
		{name: "no colon", answer: ok + "hello\r\nContent-Length: 0\r\n\r\n"},
		{name: "name is no token", answer: ok + "a(b): x\r\nContent-Length: 0\r\n\r\n"},
		{name: "high byte in a name", answer: ok + "a\xff: x\r\nContent-Length: 0\r\n\r\n"},
		{name: "NUL in a value", answer: ok + "a: b\x00\r\nContent-Length: 0\r\n\r\n"},
		{name: "DEL in a value", answer: ok + "a: \x7f\r\nContent-Length: 0\r\n\r\n"},
		{name: "head too long", answer: ok + "a: " + strings.Repeat("b", maxHead) + "\r\nContent-Length: 0\r\n\r\n"},
		{name: "endless line", answer: ok + strings.Repeat("b", 300000)},
		{name: "10 000 lines", answer: ok + strings.Repeat("a: b\r\n", 10000) + "\r\n"},
		{name: "201 lines", answer: ok + strings.Repeat("a: b\r\n", 200) + "\r\n"},
	})
}

// Ensure that framing which two readers could take differently is refused.
func TestBrokenFraming(t *testing.T) {
	checkAnswers(t, []answerRow{
		{name: "two lengths", answer: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi"},
		{name: "two equal lengths", answer: ok + "Content-Length: 2\r\ncontent-length: 2\r\n\r\nhi"},
		{name: "list of lengths", answer: ok + "Content-Length: 2, 2\r\n\r\nhi"},
		{name: "signed length", answer: ok + "Content-Length: +2\r\n\r\nhi"},
		{name: "hex length", answer: ok + "Content-Length: 0x2\r\n\r\nhi"},
		{name: "empty length", answer: ok + "Content-Length:\r\n\r\nhi"},
		{name: "length overflows", answer: ok + "Content-Length: 18446744073709551618\r\n\r\nhi"},
		{name: "length and chunked", answer: ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "chunked and length", answer: ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
		{name: "204 with both", answer: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"},
		{name: "identity", answer: ok + "Transfer-Encoding: identity\r\n\r\nhi"},
		{name: "gzip, chunked", answer: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{name: "two chunked", answer: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "chunked in quotes", answer: ok + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
		{name: "Kelvin sign", answer: ok + "Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n"},
		{name: "vertical tab", answer: ok + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
		{name: "chunked in HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "length too long", answer: ok + "Content-Length: 3\r\n\r\nhi"},
		{name: "length without body", answer: ok + "Content-Length: 3\r\n\r\n"},
	})
}

// Ensure that chunks are read as RFC 9112 spells them and in no other way.
func TestBrokenChunks(t *testing.T) {
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	checkAnswers(t, []answerRow{
		{name: "no last chunk", answer: chunked + "2\r\nhi\r\n"},
		{name: "cut in a chunk", answer: chunked + "5\r\nhi"},
		{name: "cut in the trailer", answer: chunked + "0\r\n"},
		{name: "no size", answer: chunked + "\r\nhi\r\n0\r\n\r\n"},
		{name: "size with sign", answer: chunked + "+2\r\nhi\r\n0\r\n\r\n"},
		{name: "size with 0x", answer: chunked + "0x2\r\nhi\r\n0\r\n\r\n"},
		{name: "size with space", answer: chunked + "2 \r\nhi\r\n0\r\n\r\n"},
		{name: "size of 17 digits", answer: chunked + "00000000000000002\r\nhi\r\n0\r\n\r\n"},
		{name: "size overflows", answer: chunked + "ffffffffffffffff\r\nhi\r\n0\r\n\r\n"},
		{name: "size with bare LF", answer: chunked + "2\nhi\r\n0\r\n\r\n"},
		{name: "control byte in an extension", answer: chunked + "2;a\x00b\r\nhi\r\n0\r\n\r\n"},
		{name: "CR in an extension", answer: chunked + "2;a\rb\r\nhi\r\n0\r\n\r\n"},
		{name: "endless extension", answer: chunked + "2;" + strings.Repeat("a", 2000) + "\r\nhi\r\n0\r\n\r\n"},
		{name: "chunk too long", answer: chunked + "2\r\nhix\r\n0\r\n\r\n"},
		{name: "chunk without CRLF", answer: chunked + "2\r\nhi0\r\n\r\n"},
		{name: "LF behind a chunk", answer: chunked + "2\r\nhi\n0\r\n\r\n"},
		{name: "bad trailer", answer: chunked + "0\r\na b\r\n\r\n"},
		{name: "folded trailer", answer: chunked + "0\r\na: b\r\n c\r\n\r\n"},
		{name: "endless trailer", answer: chunked + "0\r\na: " + strings.Repeat("b", 2000) + "\r\n\r\n"},
		{name: "33 trailers", answer: chunked + "0\r\n" + strings.Repeat("a: b\r\n", 33) + "\r\n"},
	})
}

// checkAnswers plays each row and then looks on which connection the next request came.
func checkAnswers(t *testing.T, rows []answerRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			url := listen(t, func(p *peer) {
				if p.n > 0 {
					p.request()
					p.say(ok + "Content-Length: 5\r\n\r\nfresh")
					return
				}
				p.request()
				io.WriteString(p, row.answer)
				if !row.keep && !row.hold {
					return
				}
				if p.request() != "" {
					p.say(ok + "Content-Length: 6\r\n\r\nreused")
				}
				p.end()
			})
			transport := start(t, options(url))
			got, err := ask(transport, post("{}"))
			checkAnswer(t, row, got, err)
			next := map[bool]string{true: "200 reused", false: "200 fresh"}[row.keep]
			wantAsk(t, transport, get(), next)
		})
	}
}

func checkAnswer(t *testing.T, row answerRow, got string, err error) {
	t.Helper()
	if row.want == "" {
		wantKind(t, err, ErrBroken)
		return
	}
	if err != nil || got != row.want {
		t.Fatalf("got %.100q, %v; want %.100q", got, err, row.want)
	}
}

// Ensure that a cut body is told from a whole one, whatever was read of it before.
func TestCutBodyIsNoEOF(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\na\r\nhello"} {
		transport := start(t, options(listen(t, func(p *peer) {
			p.request()
			p.say("%s%s", ok, framing)
		})))
		var a Answer
		if err := transport.Do(get(), &a); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(&a)
		if string(body) != "hello" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %q, %v; want hello, %v", body, err, io.ErrUnexpectedEOF)
		}
		wantKind(t, err, ErrBroken)
		if _, again := a.Read(make([]byte, 1)); again != err {
			t.Errorf("got %v again, want %v", again, err)
		}
		a.Close()
		wantConns(t, transport, 0, 0)
	}
}

// Ensure that the text of errors holds nothing of the request or the answer.
func TestErrorsSayNothing(t *testing.T) {
	for _, answer := range []string{"SECRET", ok + "SECRET\r\n\r\n", ok + "Content-Length: SECRET\r\n\r\n", "HTTP/1.1 SECRET\r\n\r\n"} {
		transport := start(t, options(listen(t, func(p *peer) {
			p.request()
			p.say("%s", answer)
		})))
		r := &Request{Method: "GET", Target: []byte("/SECRET"), Head: []byte("Authorization: FlespiToken SECRET\r\n")}
		_, err := ask(transport, r)
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), "SECRET") {
			t.Errorf("got %v", err)
		}
	}
}
