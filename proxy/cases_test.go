package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream/index"
)

// rawCase is one line of the raw cases: bytes that a client sends, what its token may do, and the
// verdicts that are right.
type rawCase struct {
	ID       string
	Raw      string // one character per byte
	TokenACL struct {
		CID    int64
		Access string
		ACL    json.RawMessage
	} `json:"token_acl"`
	Expected []string
	Both     []string // instead of Expected, where the gateway knows whose an item is
	Then     []string // verdicts of pipelined requests, by what is forwarded
	NeedsIDs bool     `json:"needs_ids"`
	Last     bool     // changes the world
	Body     *string  // what the backend must get as a body, where that is not the one in Raw
	Whole    bool     // says nothing when sent byte by byte
	Why      string
}

func (c *rawCase) bytes() []byte {
	out := make([]byte, 0, len(c.Raw))
	for _, r := range c.Raw {
		if r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}

const canaryKey = "CANARYcccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

// canaryRequest is a benign request whose answer only it can get.
const canaryRequest = "GET /gw/channels/7?fields=name HTTP/1.1\r\nHost: gw.test\r\nAuthorization: FlespiToken " +
	canaryKey + "\r\n\r\n"

// court is a gateway in front of the recording backend of the raw cases.
type court struct {
	*fixture
	backend *wireBackend
	indexed bool // the gateway knows whose an item is
}

// newCourt starts a gateway that knows the tokens of the cases.
func newCourt(t *testing.T, rows []rawCase, change ...setup) *court {
	t.Helper()
	b := startWorld(t)
	hosts := func(_ *Options, _ *policy.Engine, c *head.Config) { c.Hosts, c.Chunked = []string{"gw.test"}, true }
	f := newFixture(t, b.url, append([]setup{hosts, withResolver}, change...)...)
	f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400}, [2]int64{777, 0})
	f.token(canaryKey, "acl", 500, `[{"uri":"gw/channels","methods":["GET"],"ids":[7]}]`)
	named := regexp.MustCompile(`(?i)authorization: *flespitoken +(TOK[A-Za-z0-9]*)`)
	for _, row := range rows {
		m := named.FindStringSubmatch(row.Raw)
		if m == nil || len(m[1]) != 64 || row.TokenACL.Access == "" {
			continue
		}
		f.token(m[1], row.TokenACL.Access, row.TokenACL.CID, string(row.TokenACL.ACL))
	}
	return &court{fixture: f, backend: b}
}

// holders yields the tokens of the cases, for what the index has to read.
func (c *court) holders(yield func(index.TokenShape) bool) {
	for _, t := range c.tokens {
		if !yield(index.TokenShape{Access: t.Access, Entries: t.ACL.Entries()}) {
			return
		}
	}
}

// newIndexedCourt is newCourt in mode both: the gateway has an index of its own, which it has read
// before the first case.
func newIndexedCourt(t *testing.T, rows []rawCase) *court {
	t.Helper()
	var c *court
	var items *index.ItemIndex
	c = newCourt(t, rows, func(o *Options, engine *policy.Engine, _ *head.Config) {
		engine.Mode = policy.ModeBoth
		items = index.New(index.Options{
			Backend: o.Backend, Key: o.Key, Mode: engine.Mode, Catalogue: engine.Catalogue, Log: o.Log, MaxTarget: o.MaxURL,
			Tree: func() *policy.Tree { return c.Tree() }, Refresh: time.Hour, MaxStaleness: 2 * time.Hour,
			Demand: func() index.Demand { return index.DemandOf(engine, c.holders) },
		})
		o.Index = items
		o.Resolver = index.NewResolver(index.ResolverOptions{
			Backend: o.Backend, Key: o.Key, Mode: engine.Mode, MaxTarget: o.MaxURL, Index: items,
		})
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); items.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	for range 3000 {
		if items.Ready() == nil {
			c.indexed = true
			return c
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the index was never read: %v", items.Ready())
	return c
}

func caseFiles(t *testing.T) (rows []rawCase) {
	t.Helper()
	for _, file := range []string{"testdata/attacks.jsonl", "testdata/clients.jsonl", "testdata/more.jsonl"} {
		rows = append(rows, readLines[rawCase](t, file)...)
	}
	slices.SortStableFunc(rows, func(a, b rawCase) int { return bit(a.Last) - bit(b.Last) })
	return rows
}

// The raw cases, hostile and benign: each gets one of the verdicts that are right, whole or byte by
// byte, behind and in front of another's request.
func TestCases(t *testing.T) {
	rows := caseFiles(t)
	c := newCourt(t, rows)
	for name, play := range map[string]func(*testing.T, *rawCase) string{
		"whole": c.whole, "bytewise": c.bytewise, "behind": c.behind, "before": c.before,
	} {
		t.Run(name, func(t *testing.T) { c.session(t, rows, play) })
	}
	t.Run("indexed", func(t *testing.T) {
		c := newIndexedCourt(t, rows)
		c.session(t, rows, c.whole)
	})
}

// session plays all cases in one way.
func (c *court) session(t *testing.T, rows []rawCase, play func(*testing.T, *rawCase) string) {
	for _, row := range rows {
		if row.NeedsIDs && !c.indexed {
			continue
		}
		if c.indexed && row.Both != nil {
			row.Expected = row.Both
		}
		if fault := play(t, &row); fault != "" {
			t.Errorf("%s: want %s: %s [%s]", row.ID, strings.Join(row.Expected, "|"), fault, row.Why)
		}
	}
}

func (c *court) whole(t *testing.T, row *rawCase) string {
	if fault := c.judge(row, c.play(t, row.bytes(), methodOf(row.bytes()), false)); fault != "" {
		return fault
	}
	return c.canary()
}

func (c *court) bytewise(t *testing.T, row *rawCase) string {
	if row.Whole {
		return ""
	}
	return c.judge(row, c.play(t, row.bytes(), methodOf(row.bytes()), true))
}

// behind plays a case behind a benign request on the same connection.
func (c *court) behind(t *testing.T, row *rawCase) string {
	p := c.play(t, append([]byte(canaryRequest), row.bytes()...), "GET "+methodOf(row.bytes()), false)
	if len(p.answers) == 0 || !isCanary(p.answers[0]) {
		return fmt.Sprintf("the request in front was answered %v", p.answers)
	}
	p.answers, p.sent = p.answers[1:], p.sent[1:]
	return c.judge(row, p)
}

// before plays a case in front of a benign request: that one is served exactly if the answer to the
// case did not announce the end of the connection.
func (c *court) before(t *testing.T, row *rawCase) string {
	if len(row.Then) > 0 {
		return ""
	}
	p := c.play(t, append(row.bytes(), canaryRequest...), methodOf(row.bytes()), false)
	if len(p.answers) == 0 {
		return c.judge(row, p)
	}
	last := p.answers[len(p.answers)-1]
	switch ends := p.answers[0].header.Get("Connection") == "close"; {
	case ends && len(p.answers) > 1:
		return "a request was served behind Connection: close"
	case !ends && (len(p.answers) != 2 || !isCanary(last)):
		return fmt.Sprintf("the request behind was answered %v", p.answers[1:])
	case !ends:
		p.answers = p.answers[:1]
		if n := len(p.sent); n > 0 && strings.HasPrefix(p.sent[n-1].line, "GET /gw/channels/7?fields=name ") {
			p.sent = p.sent[:n-1]
		}
	}
	return c.judge(row, p)
}

func methodOf(raw []byte) string {
	method, _, _ := strings.Cut(strings.TrimLeft(string(raw), "\r\n"), " ")
	return method
}

func isCanary(a answer) bool { return a.status == 200 && strings.Contains(a.body, `"in"`) }

// played is what came of a connection.
type played struct {
	answers []answer
	sent    []wireRequest // to the backend, without the gateway's own look-ups
	own     []wireRequest // those
	closed  bool          // by the gateway, before this side had ended
	broken  string        // an answer that could not be read
}

// play sends bytes over a fresh connection and reads what comes. Behind the first answer it ends
// its side, so that the end of the connection, and not time, says that nothing more comes. methods
// are those of the requests, as far as they are not GET: an answer to HEAD has no body.
func (c *court) play(t *testing.T, raw []byte, methods string, bytewise bool) (p played) {
	t.Helper()
	conn := c.dial()
	defer conn.Close()
	c.backend.take()
	step := len(raw)
	if bytewise {
		step = 1
	}
	for i := 0; i < len(raw); i += step {
		if _, err := conn.Write(raw[i : i+step]); err != nil {
			break // refused before the end: what was said is read below
		}
	}
	conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	in := bufio.NewReader(conn)
	for {
		if _, err := in.Peek(1); err != nil {
			var slow net.Error
			p.closed = !errorsAs(err, &slow) || !slow.Timeout()
			break
		}
		var method string
		method, methods, _ = strings.Cut(methods, " ")
		a, err := readAnswer(in, method)
		if err != nil {
			p.broken = err.Error()
			break
		}
		p.answers = append(p.answers, a)
		conn.(*net.TCPConn).CloseWrite()
	}
	for _, r := range c.backend.take() {
		if ownLookup(&r) {
			p.own = append(p.own, r)
		} else {
			p.sent = append(p.sent, r)
		}
	}
	return p
}

// readAnswer reads one final answer.
func readAnswer(in *bufio.Reader, method string) (a answer, err error) {
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return a, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.Close {
			resp.Header.Set("Connection", "close")
		}
		if err != nil || resp.StatusCode != 100 {
			return answer{resp.StatusCode, resp.Header, string(body)}, err
		}
	}
}
