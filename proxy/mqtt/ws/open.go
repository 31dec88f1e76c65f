package ws

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"

	"aclgate/proxy/head"
)

// Refusal is why a request is no upgrade that this door takes. It was answered.
type Refusal struct {
	Status int
	Reason string // may be shown to anyone
}

// Error returns the reason.
func (r *Refusal) Error() string { return "ws: " + r.Reason }

// The refusals.
var (
	errMethod      = &Refusal{http.StatusMethodNotAllowed, "only GET can be upgraded"}
	errPath        = &Refusal{http.StatusNotFound, "MQTT is served at / and /mqtt"}
	errBody        = &Refusal{http.StatusBadRequest, "an upgrade has no body"}
	errUpgrade     = &Refusal{http.StatusUpgradeRequired, "this address speaks WebSocket only"}
	errVersion     = &Refusal{http.StatusUpgradeRequired, "only version 13 of WebSocket is spoken"}
	errKey         = &Refusal{http.StatusBadRequest, "Sec-WebSocket-Key is not a nonce of 16 bytes"}
	errTwice       = &Refusal{http.StatusBadRequest, "a header of the upgrade comes twice"}
	errSubprotocol = &Refusal{http.StatusBadRequest, "the subprotocol must be mqtt or mqttv3.1"}
	errEarly       = &Refusal{http.StatusBadRequest, "bytes came before the upgrade was answered"}
)

// Open answers the upgrade whose head c has read, and returns the connection for MQTT. An error is
// a *Refusal, which was sent, or that of the write. The caller closes c then; else it closes the
// connection that it gets.
func Open(c *head.Conn) (*Conn, error) {
	h := c.Head()
	protocol, key, refusal := check(h)
	origin := string(h.Origin)
	if refusal == nil {
		raw := c.Take()
		if raw != nil {
			if _, err := raw.Write(accept(key, protocol)); err != nil {
				return nil, err
			}
			return newConn(c, raw, origin), nil
		}
		refusal = errEarly
	}
	if _, err := c.Write(refusal.answer()); err != nil {
		return nil, err
	}
	return nil, refusal
}

// check reads what the upgrade asks for. What it returns is copied.
func check(h *head.Head) (protocol, key string, refusal *Refusal) {
	path, _, _ := bytes.Cut(h.Target, []byte("?"))
	protocol, offered := subprotocol(h)
	key = string(h.Get("Sec-WebSocket-Key"))
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case h.Fault != nil:
		refusal = &Refusal{h.Fault.Status, h.Fault.Reason}
	case string(h.Method) != http.MethodGet:
		refusal = errMethod
	case string(path) != "/" && string(path) != "/mqtt":
		refusal = errPath
	case h.Length != 0:
		refusal = errBody
	case h.HTTP10 || !head.EqualFold(h.Get("Upgrade"), "websocket") || !listed(h, "Connection", "upgrade"):
		refusal = errUpgrade
	case count(h, "Upgrade") > 1 || count(h, "Sec-WebSocket-Key") > 1 || count(h, "Sec-WebSocket-Version") > 1:
		refusal = errTwice
	case string(h.Get("Sec-WebSocket-Version")) != "13":
		refusal = errVersion
	case err != nil || len(nonce) != 16:
		refusal = errKey
	case !offered:
		refusal = errSubprotocol
	}
	return protocol, key, refusal
}

// subprotocol returns the first subprotocol of the client's that is spoken here.
func subprotocol(h *head.Head) (name string, found bool) {
	for _, name := range []string{"mqtt", "mqttv3.1"} {
		if listed(h, "Sec-WebSocket-Protocol", name) {
			return name, true
		}
	}
	return "", false
}

// listed reports whether a word is in a list that may be spread over several lines.
func listed(h *head.Head, field, word string) bool {
	for _, f := range h.Fields {
		if !head.EqualFold(f.Name, field) {
			continue
		}
		for item := range bytes.SplitSeq(f.Value, []byte(",")) {
			if head.EqualFold(bytes.Trim(item, " \t"), word) {
				return true
			}
		}
	}
	return false
}

func count(h *head.Head, field string) (n int) {
	for _, f := range h.Fields {
		if head.EqualFold(f.Name, field) {
			n++
		}
	}
	return n
}

// guid is what RFC 6455 1.3 puts behind the key.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// accept prints the answer to an upgrade.
func accept(key, protocol string) []byte {
	sum := sha1.Sum([]byte(key + guid))
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]), protocol)
}

// answer prints the answer to what is refused.
func (r *Refusal) answer() []byte {
	extra := ""
	if r.Status == http.StatusUpgradeRequired {
		extra = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	if r.Status == http.StatusMethodNotAllowed {
		extra = "Allow: GET\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s\n",
		r.Status, http.StatusText(r.Status), extra, len(r.Reason)+1, r.Reason)
}
