package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream/index"
)

// grouped starts a gateway in header mode that knows the groups of the world of the raw cases. The
// backend answers writes with a status.
func grouped(t *testing.T, status string) (*fixture, *index.ItemIndex) {
	t.Helper()
	return groupedBy(t, func(*wireRequest) string {
		if status == "" {
			return ""
		}
		return strings.Replace(plain(`{"result":[]}`), "200 OK", status, 1)
	})
}

// groupedBy is grouped with a backend that answers everything but listings as it is told; "": it
// hangs up.
func groupedBy(t *testing.T, answer func(*wireRequest) string) (*fixture, *index.ItemIndex) {
	t.Helper()
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if r.method() == "GET" && strings.HasPrefix(r.target(), "/gw/groups/all?") {
			io.WriteString(c, plain(`{"result":[{"id":12,"cid":500},{"id":13,"cid":500},{"id":66,"cid":600}]}`))
			return
		}
		if text := answer(r); text != "" {
			io.WriteString(c, text)
			return
		}
		c.Close()
	})
	var items *index.ItemIndex
	var f *fixture
	f = newFixture(t, b.url, func(o *Options, engine *policy.Engine, _ *head.Config) {
		items = index.New(index.Options{
			Backend: o.Backend, Key: o.Key, Mode: engine.Mode, Catalogue: engine.Catalogue, Log: o.Log, MaxTarget: o.MaxURL,
			Tree: func() *policy.Tree { return f.Tree() }, Refresh: time.Hour, MaxStaleness: 2 * time.Hour,
			Demand: func() index.Demand {
				return index.Demand{Collections: []*policy.Collection{engine.Catalogue.Collection("gw/groups")}}
			},
		})
		o.Index = items
	})
	f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400})
	f.token("grouped-standard", "standard", 500, "")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); items.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	for range 3000 {
		if items.Ready() == nil {
			return f, items
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the index was never read: %v", items.Ready())
	return nil, nil
}

// What a write may have changed is forgotten, and nothing else: in header mode a list may name what
// belongs to others, and the backend has left it alone.
func TestLearnsOnlyOfItsScope(t *testing.T) {
	move := `{"cid":501}`
	for _, row := range []struct {
		name, status, method, selector, body string
		want                                 map[int64]int64 // group → account, 0: not known
	}{
		{"a deletion", "200 OK", "DELETE", "12,66", "", map[int64]int64{12: 0, 13: 500, 66: 600}},
		{"a deletion of all", "200 OK", "DELETE", "all", "", map[int64]int64{12: 0, 13: 0, 66: 600}},
		{"a deletion by a match", "200 OK", "DELETE", "name=x", "", map[int64]int64{12: 0, 13: 0, 66: 600}},
		{"a move", "200 OK", "PUT", "12,66", move, map[int64]int64{12: 501, 13: 500, 66: 600}},
		{"a move of all", "200 OK", "PUT", "all", move, map[int64]int64{12: 501, 13: 501, 66: 600}},
		{"a move by a match", "200 OK", "PUT", "name=x", move, map[int64]int64{12: 0, 13: 0, 66: 600}},
		{"a move that broke", "500 Broken", "PUT", "12", move, map[int64]int64{12: 0, 13: 500, 66: 600}},
		{"a move without an answer", "", "PUT", "12", move, map[int64]int64{12: 0, 13: 500, 66: 600}},
		{"a move with a redirect", "303 See Other", "PUT", "12", move, map[int64]int64{12: 0, 13: 500, 66: 600}},
		{"a move that was refused", "403 Forbidden", "PUT", "12", move, map[int64]int64{12: 0, 13: 500, 66: 600}},
		{"a move to which our key is refused", "401 Unauthorized", "PUT", "12", move, map[int64]int64{12: 0, 13: 500, 66: 600}},
		{"a deletion that was refused", "404 Not Found", "DELETE", "12,66", "", map[int64]int64{12: 0, 13: 500, 66: 600}},
	} {
		f, items := grouped(t, row.status)
		f.call("grouped-standard", row.method, "/gw/groups/"+row.selector, row.body)
		view, groups := items.View(f.Tree()), f.gateway.Engine.Catalogue.Collection("gw/groups")
		for id, want := range row.want {
			if cid, _ := view.Account(groups, id); cid != want {
				t.Errorf("%s: group %d: got account %d, want %d", row.name, id, cid, want)
			}
		}
	}
}

// What an answer leaves open is asked for: what a creation says is believed only of ids that nobody
// had before, and where it names their accounts; and a write that did not work may have done a part.
func TestAsksForWhatIsOpen(t *testing.T) {
	const failed = "403 Forbidden"
	for _, row := range []struct {
		name, method, selector, body, status, answer string
		asked                                        string // the look-up that follows; "": none
		shown                                        string // what it shows
		want                                         map[int64]int64
	}{
		{"a creation", "POST", "", "{}", "200 OK", `{"result":[{"id":14,"cid":501}]}`, "", "", map[int64]int64{14: 501}},
		{"a creation without an account", "POST", "", "{}", "200 OK", `{"result":[{"id":14},{"id":15,"cid":500}]}`,
			"/gw/groups/14", `{"id":14,"cid":501}`, map[int64]int64{14: 501, 15: 500}},
		{"a creation of what was there", "POST", "", "{}", "200 OK", `{"result":[{"id":66,"cid":500}]}`,
			"/gw/groups/66", `{"id":66,"cid":600}`, map[int64]int64{66: 600}},
		{"a creation in part", "POST", "", "[{},{}]", failed, `{"errors":[{"code":1}],"result":[{"id":14,"cid":500}]}`,
			"/gw/groups/14", `{"id":14,"cid":500}`, map[int64]int64{14: 500}},
		{"a creation that failed", "POST", "", "{}", failed, `{"errors":[{"code":1}],"result":[]}`, "", "", map[int64]int64{12: 500}},
		{"a deletion", "DELETE", "/12,13", "", "200 OK", `{"result":[]}`, "", "", map[int64]int64{12: 0, 13: 0}},
		{"a deletion in part", "DELETE", "/12,13", "", "200 OK", `{"errors":[{"code":6,"id":13}],"result":[{"id":12}]}`,
			"/gw/groups/12,13", `{"id":13,"cid":500}`, map[int64]int64{12: 0, 13: 500}},
		{"a deletion that failed", "DELETE", "/12,66", "", failed, `{"errors":[{"code":6}]}`,
			"/gw/groups/12", `{"id":12,"cid":500}`, map[int64]int64{12: 500, 66: 600}},
		{"a move in part", "PUT", "/12,13", `{"cid":501}`, failed, `{"errors":[{"code":6}]}`,
			"/gw/groups/12,13", `{"id":12,"cid":501},{"id":13,"cid":500}`, map[int64]int64{12: 501, 13: 500}},
	} {
		f, items := groupedBy(t, func(r *wireRequest) string {
			switch {
			case r.method() != "GET":
				return strings.Replace(plain(row.answer), "200 OK", row.status, 1)
			case row.asked != "" && sameTarget(row.asked+"?fields=id,cid", r.target()):
				return plain(`{"result":[` + row.shown + `]}`)
			}
			t.Errorf("%s: asked %s", row.name, r.target())
			return ""
		})
		f.call("grouped-standard", row.method, "/gw/groups"+row.selector, row.body)
		view, groups := items.View(f.Tree()), f.gateway.Engine.Catalogue.Collection("gw/groups")
		for id, want := range row.want {
			if cid, _ := view.Account(groups, id); cid != want {
				t.Errorf("%s: group %d: got account %d, want %d", row.name, id, cid, want)
			}
		}
	}
}

// heard is an account tree that notes what it hears.
type heard struct{ text []string }

func (h *heard) Stale() bool              { return false }
func (h *heard) Created(id, parent int64) { h.Moved([]int64{id}, parent) }
func (h *heard) Moved(ids []int64, parent int64) {
	h.text = append(h.text, fmt.Sprint(ids, "<", parent))
}
func (h *heard) Deleted(ids []int64) { h.text = append(h.text, fmt.Sprint(ids)) }
func (h *heard) PolicyLoaded()       {}

// An answer without a body stays one when it was to be learnt from: a length in a 204 is against
// RFC 9110 8.6.
func TestLearnsOfAnAnswerWithoutABody(t *testing.T) {
	b := startText(t, "HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n")
	f := newFixture(t, b.url, func(o *Options, engine *policy.Engine, _ *head.Config) {
		o.Index = index.New(index.Options{Catalogue: engine.Catalogue, Log: o.Log})
	})
	f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500})
	f.token("accounts-master", "master", 500, "")
	for _, sent := range []string{"POST /gw/groups", "PUT /gw/groups/12"} {
		method, path, _ := strings.Cut(sent, " ")
		got := f.call("accounts-master", method, path, `{"cid":501}`)
		if got.status != 204 || got.body != "" || got.header.Get("X-Own") != "1" || got.header.Get("Content-Length") != "" {
			t.Errorf("%s: got %+v", sent, got)
		}
	}
}

// What a write makes of accounts is told before the client has its answer, as far as they lie in
// the scope; what is not known is told to be nowhere.
func TestLearnsOfAccounts(t *testing.T) {
	move := `{"cid":501}`
	for _, row := range []struct{ name, answer, method, selector, body, want string }{
		{"a creation", plain(`{"result":[{"id":502,"cid":500}]}`), "POST", "", `{"name":"x"}`, "[502]<500"},
		{"a move", plain(`{"result":[]}`), "PUT", "/503,600,500,400", move, "[503]<501"},
		{"a move in part", plain(`{"errors":[{}],"result":[]}`), "PUT", "/503", move, "[503]"},
		{"a move that broke", reply("500 Broken", "{}"), "PUT", "/503", move, "[503]"},
		{"a move that was refused", reply("403 Forbidden", "{}"), "PUT", "/503", move, "[503]"},
		{"another change", plain(`{"result":[]}`), "PUT", "/503", `{"name":"x"}`, ""},
		{"a deletion", plain(`{"result":[]}`), "DELETE", "/503,600", "", "[503]"},
		{"of something else", plain(`{"result":[]}`), "DELETE", "", "", ""},
	} {
		h := &heard{}
		b := startText(t, row.answer)
		f := newFixture(t, b.url, func(o *Options, engine *policy.Engine, _ *head.Config) {
			o.Index = index.New(index.Options{Catalogue: engine.Catalogue, Log: o.Log})
			o.AccountTree = h
		})
		f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{503, 500}, [2]int64{600, 400})
		f.token("accounts-master", "master", 500, "")
		path := "/platform/subaccounts" + row.selector
		if row.name == "of something else" {
			path = "/platform/webhooks/503"
		}
		f.call("accounts-master", row.method, path, row.body)
		if got := strings.Join(h.text, " "); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// A backend that does not obey the cid that the gateway adds to bodies is named in the log, once a
// minute for each collection, and every such item is counted.
func TestCreatedElsewhere(t *testing.T) {
	const word = "the backend does not obey the cid in bodies; scope.owners store helps"
	for _, row := range []struct {
		name, answer string
		said         int
		counted      float64
	}{
		{"disobeyed", `{"result":[{"id":14,"cid":400},{"id":15,"cid":600}]}`, 1, 4},
		{"obeyed", `{"result":[{"id":14,"cid":500},{"id":15,"cid":501}]}`, 0, 0},
	} {
		var log lockedBuffer
		b := startText(t, plain(row.answer))
		f := newFixture(t, b.url, func(o *Options, engine *policy.Engine, _ *head.Config) {
			engine.Mode = policy.ModeIDs
			o.Index = index.New(index.Options{Catalogue: engine.Catalogue, Log: o.Log})
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400})
		f.token("grouped-standard", "standard", 500, "")
		for range 2 {
			if got := f.call("grouped-standard", "POST", "/gw/groups", `{"name":"x"}`); got.status != 200 {
				t.Fatalf("%s: got %+v", row.name, got)
			}
		}
		text := log.String()
		if got := strings.Count(text, word); got != row.said {
			t.Errorf("%s: said %d times, want %d:\n%s", row.name, got, row.said, text)
		}
		if row.said > 0 && !strings.Contains(text, "collection=gw/groups id=14 account=500 put_into=400") {
			t.Errorf("got %s", text)
		}
		if got := f.counter("aclgate_created_elsewhere_total"); got != row.counted {
			t.Errorf("%s: counted %v, want %v", row.name, got, row.counted)
		}
	}
}
