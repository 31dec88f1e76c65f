package isolation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// markHeader carries the mark of a request through the gateway to the backend's ledger.
const markHeader = "X-Request-Id"

// Client is one connection to a gateway. It writes requests as they are: no library tidies them up.
type Client struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

// Answer is what a client got.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewClient returns a client that connects with its first request.
func NewClient(addr string) *Client { return &Client{addr: addr} }

// Close ends the connection.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Do sends a request by a token. The mark is what the ledger will know it by.
func (c *Client) Do(t *Token, a *Ask, mark string) (*Answer, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: FlespiToken %s\r\n%s: %s\r\n",
		a.Method, a.Target(), t.Key(), markHeader, mark)
	if a.HeaderCID != 0 {
		fmt.Fprintf(&b, "x-flespi-cid: %d\r\n", a.HeaderCID)
	}
	body := a.Text()
	if body != "" || a.Method == "PUT" || a.Method == "PATCH" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return nil, err
		}
	}
	got, err := c.exchange(b.String(), a.Method)
	if err != nil || got.Header.Get("Connection") == "close" {
		c.Close()
	}
	return got, err
}

func (c *Client) dial() (err error) {
	if c.conn, err = net.Dial("tcp", c.addr); err == nil {
		c.in = bufio.NewReaderSize(c.conn, 64<<10)
	}
	return err
}

func (c *Client) exchange(text, method string) (*Answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.Close {
		resp.Header.Set("Connection", "close")
	}
	body, err := io.ReadAll(resp.Body)
	return &Answer{resp.StatusCode, resp.Header, body}, err
}

// alike prints the answer without what differs every time, and with a word for an id.
func (a *Answer) alike(id int64) string {
	if a == nil {
		return "no answer"
	}
	h := a.Header.Clone()
	h.Del("x-aclgate-decision")
	h.Del("Date")
	text := fmt.Sprint(a.Status, h, string(a.Body))
	return strings.ReplaceAll(text, fmt.Sprint(id), "ID")
}
