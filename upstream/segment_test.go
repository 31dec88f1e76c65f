package upstream

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
)

func insetOf(at int, ids ...int64) policy.Segment {
	set := policy.NewIDSet(ids)
	return policy.Segment{IDs: set.Printed(), At: at}
}

// manyIDs returns an inset of n ids, and its text.
func manyIDs(at, n int) (policy.Segment, string) {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(1_000_000 + 7*i)
	}
	in := insetOf(at, ids...)
	return in, string(in.IDs.Bytes())
}

// insetRows are requests whose target, or a piece of it, is written from where it is.
func insetRows() []wireRow {
	const path = "/gw/devices/"
	many, text := manyIDs(len(path), 5000)
	huge, hugeText := manyIDs(len(path), 400_000) // more than a socket takes at once
	long := path + strings.Repeat("17,", 5000) + "18"
	body := strings.Repeat("z", 40000)
	get := func(target string, in policy.Segment) Request {
		return Request{Method: "GET", Target: []byte(target), Segment: in, Head: []byte("a: b\r\n")}
	}
	row := func(name string, r Request, target string) wireRow {
		want := r.Method + " " + target + " HTTP/1.1\r\nHost: HOST\r\n" + string(r.Head)
		if len(r.Body) > 0 {
			want += "Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n"
		}
		return wireRow{name, r, want + "\r\n" + string(r.Body)}
	}
	put := get(path, many)
	put.Method, put.HasBody, put.Body = "PUT", true, []byte("{}")
	large := put
	large.Body = []byte(body)
	streamed := put
	streamed.Body = []byte(body + body)
	wide := get(long, policy.Segment{})
	wide.Head = []byte("a: " + body + "\r\n")
	return []wireRow{
		row("short inset", get(path, insetOf(len(path), 9, 7)), path+"7,9"),
		row("inset at the end", get(path, many), path+text),
		row("inset in the middle", get(path+"/telemetry/all?fields=id", many), path+text+"/telemetry/all?fields=id"),
		row("inset before a long rest", get(path+"?data="+body, many), path+text+"?data="+body),
		row("inset of megabytes", get(path+"?fields=id", huge), path+hugeText+"?fields=id"),
		row("inset and body", put, path+text),
		row("inset and large body", large, path+text),
		row("inset and body in pieces", streamed, path+text),
		row("long target", get(long, policy.Segment{}), long),
		row("long target and head", wide, long),
	}
}

// Ensure that the backend reads one request, byte for byte, whichever of its pieces were copied,
// over TCP and TLS, and that nothing of an inset stays with the connection.
func TestInsetBytes(t *testing.T) {
	rows, seen := insetRows(), make(chan string, 1)
	script := func(p *peer) {
		for request := p.request(); request != ""; request = p.request() {
			seen <- request
			p.say(hi)
		}
	}
	id := newIdentity(t, "")
	for scheme, o := range map[string]Options{
		"http":  options(listen(t, script)),
		"https": trusting(t, listenTLS(t, serverOf(id), script), id),
	} {
		transport := start(t, o)
		_, host, _ := strings.Cut(o.URLs[0], "//")
		for _, row := range rows {
			done := make(chan error, 1)
			go func() {
				got, err := ask(transport, &row.r)
				if err == nil && got != "200 hi" {
					err = io.ErrUnexpectedEOF
				}
				done <- err
			}()
			want := strings.Replace(row.want, "HOST", host, 1)
			if got := <-seen; got != want {
				t.Errorf("%s, %s: got %d bytes %.200q\nwant %d bytes %.200q", scheme, row.name, len(got), got, len(want), want)
			}
			if err := <-done; err != nil {
				t.Errorf("%s, %s: %v", scheme, row.name, err)
			}
		}
		for _, c := range transport.endpoints[0].all {
			if c.raw.out[0] != nil || c.raw.out[1] != nil || c.raw.out[2] != nil {
				t.Errorf("%s: a connection still holds what it has written", scheme)
			}
		}
	}
}

// Ensure that the pieces arrive in their order however little the socket takes at a time.
func TestPiecesBit(t *testing.T) {
	want := "GET /" + strings.Repeat("1,", 300_000) + "1 HTTP/1.1\r\n\r\n"
	for _, cut := range []int{0, 1, 5, len(want) / 2, len(want) - 1} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				got <- err.Error()
				return
			}
			defer c.Close()
			b := make([]byte, len(want))
			time.Sleep(5 * time.Millisecond) // so that the socket fills up
			io.ReadFull(c, b)
			c.Write([]byte("x"))
			got <- string(b)
		}()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		link, err := newRawConn(c)
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetWriteBuffer(4 << 10)
		link.out = pieces{[]byte(want[:cut/2]), []byte(want[cut/2 : cut]), []byte(want[cut:])}
		var p [1]byte
		if n, err := link.Read(p[:]); n != 1 || err != nil || p[0] != 'x' {
			t.Errorf("cut at %d: got %d %v", cut, n, err)
		}
		if text := <-got; text != want {
			t.Errorf("cut at %d: got %d bytes, want %d", cut, len(text), len(want))
		}
		c.Close()
		l.Close()
	}
}

func TestSkip(t *testing.T) {
	whole := []string{"abc", "", "defg"}
	for n := range 8 {
		p := pieces{[]byte(whole[0]), []byte(whole[1]), []byte(whole[2])}
		p.skip(n)
		if got := string(bytes.Join(p[:], nil)); got != "abcdefg"[n:] || p.done() != (n == 7) {
			t.Errorf("%d: got %q, %v", n, got, p.done())
		}
	}
}

// FuzzTarget: eight bytes at a time find what one at a time would.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"", "/", "a", "/gw/devices/1,2?fields=id", "/1234567", "/123456 ", "/\x7f34567", "/\xff345678", "/ #34567", "/!$~34567890#"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, target []byte) {
		want := len(target) > 0 && target[0] == '/'
		for _, c := range target {
			want = want && c > ' ' && c < 0x7f && c != '#'
		}
		if got := isTarget(target); got != want {
			t.Errorf("%q: got %v, want %v", target, got, want)
		}
	})
}

// Ensure that every byte is judged alike at every place of a word, beside every neighbour.
func TestTargetBytes(t *testing.T) {
	for place := 1; place < 17; place++ {
		for c := range 256 {
			for _, beside := range []byte{'!', '~', '"', '$', 'a'} {
				b := append([]byte{'/'}, bytes.Repeat([]byte{beside}, 16)...)
				b[place] = byte(c)
				if got, want := isTarget(b), c > ' ' && c < 0x7f && c != '#'; got != want {
					t.Fatalf("%q: got %v, want %v", b, got, want)
				}
			}
		}
	}
}
