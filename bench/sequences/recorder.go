package sequences

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Recorder stands in front of a broker. It passes everything on, and keeps what came from clients.
type Recorder struct {
	listener net.Listener
	broker   string
	running  sync.WaitGroup

	mu   sync.Mutex // guards what follows
	open int        // connections
	sent [][]byte   // of each connection since the last Take, in the order in which they came
}

// Record starts a recorder in front of the broker at an address.
func Record(broker string) (*Recorder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Recorder{listener: l, broker: broker}
	r.running.Go(r.accept)
	return r, nil
}

// Addr returns the address that stands for the broker's.
func (r *Recorder) Addr() string { return r.listener.Addr().String() }

// Close takes no more connections, and waits for the end of those that there are.
func (r *Recorder) Close() {
	r.listener.Close()
	r.running.Wait()
}

func (r *Recorder) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.open++
		number := len(r.sent)
		r.sent = append(r.sent, nil)
		r.mu.Unlock()
		r.running.Go(func() { r.relay(client, number) })
	}
}

// relay passes bytes on in both directions until either ends.
func (r *Recorder) relay(client net.Conn, number int) {
	defer func() {
		client.Close()
		r.mu.Lock()
		r.open--
		r.mu.Unlock()
	}()
	broker, err := net.Dial("tcp", r.broker)
	if err != nil {
		return
	}
	defer broker.Close()
	back := make(chan struct{})
	go func() {
		_, _ = io.Copy(client, broker)
		client.Close() // a client that has gone is read to its end all the same
		close(back)
	}()
	var sent []byte
	buffer := make([]byte, 4096)
	for {
		n, err := client.Read(buffer)
		sent = append(sent, buffer[:n]...)
		if n > 0 {
			_, _ = broker.Write(buffer[:n])
		}
		if err != nil {
			break
		}
	}
	broker.Close()
	<-back
	r.mu.Lock()
	r.sent[number] = sent
	r.mu.Unlock()
}

// errOpen says that a client did not go.
var errOpen = errors.New("a connection to the broker stays open")

// Take waits until all connections have ended, and returns how many there were since the last call,
// and the packets that came by them, connection after connection.
func (r *Recorder) Take() (conns int, packets [][]byte, err error) {
	for range 1000 {
		r.mu.Lock()
		if r.open == 0 {
			conns = len(r.sent)
			for _, stream := range r.sent {
				packets = append(packets, cut(stream)...)
			}
			r.sent = nil
			r.mu.Unlock()
			return conns, packets, nil
		}
		r.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
	return 0, nil, errOpen
}

// cut cuts a stream into packets. What does not end is one, too.
func cut(stream []byte) (packets [][]byte) {
	for len(stream) > 0 {
		end := len(stream)
		if n, size := binary.Uvarint(stream[1:]); size > 0 && n < uint64(end-size) {
			end = 1 + size + int(n)
		}
		packets = append(packets, stream[:end])
		stream = stream[end:]
	}
	return packets
}
