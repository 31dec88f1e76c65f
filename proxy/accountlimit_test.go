package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/proxy/quota"
	"aclgate/upstream/index"
)

// Calls above a limit are a 429 for the account and all below it, a block without end is a 403, and
// neither is ever a 401; who stands above acts in the branch as before.
func TestBlockedAccounts(t *testing.T) {
	book := quota.New(time.Hour)
	w := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, _ *head.Config) { o.Quota = book })
	get := func(key string, lines ...string) answer {
		return w.raw(request(key, "GET", "/gw/devices/1", "", lines...))
	}
	use := func(a quota.Account) { book.Use(w.Tree(), []quota.Account{a}, false) }
	if got := get(allKey); got.status != 200 {
		t.Fatalf("without limits: got %d", got.status)
	}
	use(quota.Account{ID: 11, Calls: 3, Traffic: quota.None, BlockFor: time.Minute})
	for i := range 6 {
		got := get(allKey)
		switch {
		case i < 3 && got.status != 200:
			t.Errorf("call %d: got %d %s", i, got.status, got.body)
		case i >= 3 && (got.status != 429 || got.header.Get("Retry-After") == "" || got.body != `{"errors":[{"code":429,"reason":"limit api_calls of account 11 is reached (3)"}]}`):
			t.Errorf("call %d: got %d %s", i, got.status, got.body)
		}
	}
	if got := get(rootKey, "x-flespi-cid: 11"); got.status != 200 {
		t.Errorf("a master above: got %d %s", got.status, got.body)
	}
	for _, a := range []quota.Account{
		{ID: 11, Disabled: true, Calls: quota.None, Traffic: quota.None}, {ID: 11, Zero: true},
	} {
		use(a)
		got := get(allKey)
		if got.status != 403 || got.body != `{"errors":[{"code":403,"reason":"account 11 is blocked"}]}` {
			t.Errorf("%+v: got %d %s", a, got.status, got.body)
		}
		if got := get("no-such-key-at-all"); got.status != 401 {
			t.Errorf("a bad key: got %d", got.status)
		}
		if got := w.raw(request(allKey, "GET", "/nothing", "")); got.status != 403 { // before route and scope
			t.Errorf("an unknown path: got %d", got.status)
		}
		if got := w.raw(request(allKey, "GET", "/gw/devices/ALL", "")); got.status != 400 { // behind the syntax
			t.Errorf("a bad selector: got %d", got.status)
		}
		if got := get(rootKey, "x-flespi-cid: 11"); got.status != 200 {
			t.Errorf("a master above: got %d %s", got.status, got.body)
		}
	}
	use(quota.Account{ID: 11, Calls: quota.None, Traffic: quota.None})
	if got := get(allKey); got.status != 200 {
		t.Errorf("after the block: got %d", got.status)
	}
}

// countedBackend creates devices, or refuses them, and remembers how many there are.
type countedBackend struct {
	mu   sync.Mutex
	next int64
	mode string // "", "refuse", "lose"
}

func (b *countedBackend) answer(c net.Conn, r *wireRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.method() == "GET":
		var rows []string
		for id := int64(1); id < b.next; id++ {
			rows = append(rows, fmt.Sprintf(`{"id":%d,"cid":11}`, id))
		}
		if strings.Contains(r.target(), "offset=") && !strings.Contains(r.target(), "offset=0") {
			rows = rows[max(0, len(rows)-1):]
		}
		io.WriteString(c, plain(`{"result":[`+strings.Join(rows, ",")+`]}`))
	case b.mode == "refuse":
		io.WriteString(c, reply("400 Bad Request", `{"errors":[{"code":2,"reason":"no"}],"result":[]}`))
	case b.mode == "lose":
		b.next++
		c.Close()
	default:
		id := b.next
		b.next++
		io.WriteString(c, plain(fmt.Sprintf(`{"result":[{"id":%d,"cid":11}]}`, id)))
	}
}

// Many create at once, and the branch never holds more than its limit says; what the backend refuses
// does not stay counted, and what was lost does until the items are read once more.
func TestCountLimit(t *testing.T) {
	const bound = 10
	b := &countedBackend{next: 1}
	wire := startWire(t, b.answer)
	book := quota.New(time.Hour)
	var items *index.ItemIndex
	var f *fixture
	f = newFixture(t, wire.url, inMode(policy.ModeIDs), func(o *Options, engine *policy.Engine, _ *head.Config) {
		items = index.New(index.Options{
			Backend: o.Backend, Key: o.Key, Mode: engine.Mode, Catalogue: engine.Catalogue, Log: o.Log, MaxTarget: o.MaxURL,
			Tree: func() *policy.Tree { return f.Tree() }, Refresh: 100 * time.Millisecond, MaxStaleness: time.Hour,
			Demand: func() index.Demand {
				return index.Demand{Collections: []*policy.Collection{engine.Catalogue.Collection("gw/devices")}}
			},
		})
		o.Index, o.Quota = items, book
	})
	f.accounts([2]int64{1, 0}, [2]int64{11, 1})
	f.token(allKey, "standard", 11, "")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); items.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	for range 3000 {
		if items.Ready() == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	book.Use(f.Tree(), []quota.Account{{ID: 1, Calls: quota.None, Traffic: quota.None, Items: map[string]int64{"gw/devices": bound}}}, false)
	create := func() answer { return f.raw(request(allKey, "POST", "/gw/devices", `[{"name":"x"}]`)) }
	const reached = `{"errors":[{"code":403,"reason":"limit devices_count of account 1 is reached (10)"}]}`

	b.mode = "refuse"
	for range 2 * bound {
		if got := create(); got.status != 400 {
			t.Fatalf("refused: got %d %s", got.status, got.body)
		}
	}
	b.mode = ""
	var work sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range 3 * bound {
		work.Go(func() {
			got := create()
			mu.Lock()
			defer mu.Unlock()
			count[got.status]++
			if got.status == 403 && got.body != reached {
				t.Errorf("got %s", got.body)
			}
		})
	}
	work.Wait()
	if b.next-1 > bound || count[200]+count[403] != 3*bound {
		t.Errorf("the branch holds %d of %d; got %v", b.next-1, bound, count)
	}
	for b.next-1 < bound { // what was refused while others were under way may come again
		if got := create(); got.status != 200 {
			t.Fatalf("got %d %s", got.status, got.body)
		}
	}
	if got := create(); got.status != 403 || got.body != reached {
		t.Errorf("above the bound: got %d %s", got.status, got.body)
	}
	if got := f.raw(request(allKey, "DELETE", "/gw/devices/1,2", "")); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
