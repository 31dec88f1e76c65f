package stub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"aclgate/bench/sys"
)

const (
	// maxRequest bounds a request: a target of 64 KiB, a head, a body.
	maxRequest = 256 << 10
	// beat is how often the loop looks whether it should end.
	beat = 100 * time.Millisecond
)

// Server is the fake backend on one address. One goroutine uses it.
type Server struct {
	Addr netip.AddrPort // where it listens

	listener int
	poller   *sys.Poller
	rest     map[int32][]byte // by descriptor: the piece of a request that came so far
	in, out  []byte
	body     []byte
}

// New returns a Server that listens on at. It serves nothing before Run.
func New(at netip.AddrPort) (*Server, error) {
	fd, addr, err := sys.Listen(at)
	if err != nil {
		return nil, err
	}
	poller, err := sys.NewPoller()
	if err == nil {
		err = poller.Add(fd, int32(fd))
	}
	if err != nil {
		return nil, errors.Join(err, sys.Close(fd))
	}
	return &Server{Addr: addr, listener: fd, poller: poller, rest: map[int32][]byte{}, in: make([]byte, maxRequest), out: make([]byte, 0, 2*MessagesLen)}, nil
}

// Run serves until ctx ends and then closes everything.
func (s *Server) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer s.close()
	for ctx.Err() == nil {
		if err := s.poller.Wait(beat, s.ready); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) close() {
	for fd := range s.rest {
		sys.Close(int(fd))
	}
	sys.Close(s.listener)
	s.poller.Close()
}

func (s *Server) ready(tag int32) {
	if int(tag) == s.listener {
		s.accept()
		return
	}
	if err := s.serve(tag); err != nil {
		sys.Close(int(tag))
		delete(s.rest, tag)
	}
}

// accept accepts one connection. The poller reports again if more wait.
func (s *Server) accept() {
	fd, err := sys.Accept(s.listener)
	if err != nil {
		return
	}
	if s.poller.Add(fd, int32(fd)) != nil {
		sys.Close(fd)
		return
	}
	s.rest[int32(fd)] = nil
}

// errEnd ends a connection: its other side did, or sent what is no request.
var errEnd = errors.New("the connection is over")

// serve reads what is there and answers every request in it.
func (s *Server) serve(tag int32) error {
	rest := s.rest[tag]
	have := copy(s.in, rest)
	n, errno := sys.Read(int(tag), s.in[have:])
	if errno == syscall.EAGAIN || errno == syscall.EINTR {
		return nil
	}
	if errno != 0 || n <= 0 {
		return errEnd
	}
	data := s.in[:have+n]
	s.out = s.out[:0]
	for len(data) > 0 {
		used := s.answer(data)
		if used < 0 {
			return errEnd
		}
		if used == 0 {
			break
		}
		data = data[used:]
	}
	if len(rest) > 0 || len(data) > 0 {
		s.rest[tag] = append(rest[:0], data...)
	}
	return s.flush(int(tag))
}

// flush writes the answers. A socket whose buffer is full belongs to a reader that does not read;
// with answers of 16 KiB, one at a time, there is none.
func (s *Server) flush(fd int) error {
	for len(s.out) > 0 {
		n, errno := sys.Write(fd, s.out)
		if errno == syscall.EAGAIN || errno == syscall.EINTR {
			runtime.Gosched()
			continue
		}
		if errno != 0 {
			return errEnd
		}
		s.out = s.out[n:]
	}
	return nil
}

// answer appends the answer to the request that data begins with and returns its length: 0 if it is
// not whole, -1 if it is none or too long.
func (s *Server) answer(data []byte) int {
	head := bytes.Index(data, []byte("\r\n\r\n"))
	if head < 0 {
		if len(data) == maxRequest {
			return -1
		}
		return 0
	}
	length := head + 4 + bodyLength(data[:head+2])
	if length > maxRequest {
		return -1
	}
	if length > len(data) {
		return 0
	}
	target, ok := targetOf(data[:head])
	if !ok {
		return -1
	}
	s.out = s.appendAnswer(s.out, target)
	return length
}

const answerHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "

// appendAnswer appends head and body. The body is made first, because its length comes before it.
func (s *Server) appendAnswer(dst, target []byte) []byte {
	s.body = appendBody(s.body[:0], target)
	dst = append(dst, answerHead...)
	dst = strconv.AppendInt(dst, int64(len(s.body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, s.body...)
}

// targetOf returns the second word of the first line.
func targetOf(head []byte) ([]byte, bool) {
	first := bytes.IndexByte(head, ' ')
	if first < 0 {
		return nil, false
	}
	rest := head[first+1:]
	second := bytes.IndexByte(rest, ' ')
	return rest[:max(second, 0)], second > 0
}

// split returns the path's segment after "devices", and whether the path's last one is "messages".
func split(target []byte) (selector []byte, messages bool) {
	path, _, _ := bytes.Cut(target, []byte("?"))
	_, rest, _ := bytes.Cut(path, []byte("/devices/"))
	selector, _, _ = bytes.Cut(rest, []byte("/"))
	return selector, bytes.HasSuffix(path, []byte("/messages"))
}

// bodyLength returns what Content-Length says, 0 without one. Requests of the proxies are well
// formed.
func bodyLength(head []byte) int {
	if head[0] == 'G' {
		return 0
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err == nil && n >= 0 {
				return n
			}
		}
	}
	return 0
}

// String says where the server listens.
func (s *Server) String() string { return fmt.Sprintf("http://%s", s.Addr) }
