package proxy

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// grouped starts a gateway in header mode that knows the groups of the world of
// the raw cases. The backend answers writes with a status.
func grouped(t *testing.T, status string) (*fixture, *upstream.Index) {
	t.Helper()
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		switch {
		case r.method() == "GET" && strings.HasPrefix(r.target(), "/gw/groups/all?"):
			io.WriteString(c, plain(`{"result":[{"id":12,"cid":500},{"id":13,"cid":500},{"id":66,"cid":600}]}`))
		case status == "":
			c.Close()
		default:
			io.WriteString(c, strings.Replace(plain(`{"result":[]}`), "200 OK", status, 1))
		}
	})
	var index *upstream.Index
	var f *fixture
	f = newFixture(t, b.url, func(o *Options, law *policy.Law, _ *head.Config) {
		index = upstream.NewIndex(upstream.IndexOptions{
			Backend: o.Backend, Key: o.Key, Mode: law.Mode, Catalogue: law.Catalogue, Log: o.Log, MaxTarget: o.MaxURL,
			Tree: func() *policy.Tree { return f.tree }, Refresh: time.Hour, MaxStaleness: 2 * time.Hour,
			Need: func() upstream.Need {
				return upstream.Need{Collections: []*policy.Collection{law.Catalogue.Collection("gw/groups")}}
			},
		})
		o.Index = index
	})
	f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400})
	f.token("grouped-standard", "standard", 500, "")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); index.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	for range 3000 {
		if index.Ready() == nil {
			return f, index
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the index was never read: %v", index.Ready())
	return nil, nil
}

// What a write may have changed is forgotten, and nothing else: in header mode
// a list may name what belongs to others, and the backend has left it alone.
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
		{"a move that was refused", "403 Forbidden", "PUT", "12", move, map[int64]int64{12: 500, 13: 500, 66: 600}},
	} {
		f, index := grouped(t, row.status)
		f.call("grouped-standard", row.method, "/gw/groups/"+row.selector, row.body)
		view, groups := index.View(f.tree), f.gateway.Law.Catalogue.Collection("gw/groups")
		for id, want := range row.want {
			if cid, _ := view.Account(groups, id); cid != want {
				t.Errorf("%s: group %d: got account %d, want %d", row.name, id, cid, want)
			}
		}
	}
}
