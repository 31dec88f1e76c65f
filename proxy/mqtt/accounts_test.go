package mqtt

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// grove is a tree of accounts that grows.
type grove struct {
	t    *testing.T
	tree atomic.Pointer[policy.Tree]
}

func (g *grove) Tree() *policy.Tree { return g.tree.Load() }

// grow puts a tree in force: accounts by their parents.
func (g *grove) grow(parents map[int64]int64) {
	g.t.Helper()
	var accounts []policy.Account
	for cid, parent := range parents {
		accounts = append(accounts, policy.Account{ID: cid, Parent: parent})
	}
	tree, faults := policy.NewTree(accounts, 4)
	if len(faults) > 0 {
		g.t.Fatal(faults)
	}
	g.tree.Store(tree)
}

// TestAccountsMove: at a broker that knows accounts, deliveries obey the tree of the moment, what is
// subscribed to follows it, and only sessions whose own account is elsewhere end.
func TestAccountsMove(t *testing.T) {
	for _, row := range []struct {
		dialect          topic.Dialect
		before, more, to []string // what the broker is asked for: at first, with account 112, and when 111 is of 12
	}{
		{topic.Flespi,
			[]string{"$filter/cid=11/a/x", "$filter/cid=111/a/x", "$filter/cid=111/a/y", "$filter/cid=12/a/x"},
			[]string{"$filter/cid=11/a/x", "$filter/cid=111/a/x", "$filter/cid=111/a/y", "$filter/cid=112/a/x", "$filter/cid=12/a/x"},
			[]string{"$filter/cid=11/a/x", "$filter/cid=111/a/x", "$filter/cid=112/a/x", "$filter/cid=12/a/x"}},
		{topic.Plain, []string{"a/x", "a/x", "a/y"}, []string{"a/x", "a/x", "a/y"}, []string{"a/x", "a/x"}},
	} {
		f, err := fake.Start(fake.Config{
			Users: map[string]uint64{ownCredential: 1}, Dialect: row.dialect == topic.Flespi,
			Accounts: map[uint64]uint64{1: 0, 11: 1, 12: 1, 111: 11, 112: 11},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		g := &grove{t: t}
		g.grow(map[int64]int64{1: 0, 11: 1, 12: 1, 111: 11})
		w := newWorld(t, f.Addr(), func(o *Options) {
			o.Accounts = g
			o.Law = topic.New(topic.Options{Engine: o.Engine, Dialect: row.dialect, Namespace: topic.ByCID})
		})
		w.set("key-of-11", &policy.Token{ID: 30, CID: 11, Access: policy.Standard, Enabled: true, Expire: 1 << 40})
		acl := w.acl(31, policy.Subscribe, "a/#")
		acl.CID = 12
		w.set("key-of-12", acl)
		of11, of12 := w.in("key-of-11", "eleven"), w.in("key-of-12", "twelve")
		of11.subscribe(1, 7, "a/x")
		of11.want("SUBACK 1 [0x01] <nil>")
		of12.subscribe(1, 8, "a/x")
		of12.want("SUBACK 1 [0x01] <nil>")
		alone := wire.Subscribe{ID: 2, Filters: []wire.Subscription{{Filter: []byte("a/y")}}}
		alone.Properties.User = []wire.Pair{{Name: []byte("cid"), Value: []byte("111")}}
		of11.send(&alone)
		of11.want("SUBACK 2 [0x00] <nil>")
		asked := func(want []string) {
			t.Helper()
			waitFor(t, func() bool { got := f.Filters(); slices.Sort(got); return slices.Equal(got, want) })
		}
		say := func(account uint64, name, payload string) {
			f.Publish(fake.Message{Topic: name, Payload: payload, Account: account})
		}
		asked(row.before)
		say(111, "a/x", "below")
		of11.want("PUBLISH a/x=below [7]")
		say(111, "a/y", "below")
		of11.want("PUBLISH a/y=below []")
		for _, account := range []uint64{0, 1, 12, 112} {
			say(account, "a/y", "foreign")
			if account != 12 {
				say(account, "a/x", "foreign")
			}
		}
		say(12, "a/x", "own")
		of12.want("PUBLISH a/x=own [8]")
		of11.silent()

		g.grow(map[int64]int64{1: 0, 11: 1, 12: 1, 111: 11, 112: 11})
		asked(row.more)
		say(112, "a/x", "new")
		of11.want("PUBLISH a/x=new [7]")

		g.grow(map[int64]int64{1: 0, 11: 1, 12: 1, 111: 12, 112: 11})
		say(111, "a/x", "gone") // before any filter has followed
		say(111, "a/y", "gone")
		of11.silent()
		asked(row.to)
		if got := of12.afterPing(); got != "PINGRESP" && got != "PUBLISH a/x=gone [8]" {
			t.Error(got)
		} else if got != "PINGRESP" {
			of12.want("PINGRESP")
		}
		say(111, "a/x", "there")
		of12.want("PUBLISH a/x=there [8]")
		of11.silent()

		g.grow(map[int64]int64{1: 0, 11: 12, 12: 1, 111: 12, 112: 11})
		say(11, "a/x", "late")
		of11.want("DISCONNECT 0x98 <nil>")
		if got := of12.afterPing(); got != "PINGRESP" && !strings.HasPrefix(got, "PUBLISH a/x=late") {
			t.Error(got)
		}
		g.grow(map[int64]int64{1: 0})
		for got := ""; !strings.HasPrefix(got, "DISCONNECT"); got = of12.next() {
			if strings.HasPrefix(got, "error") {
				t.Fatal(got)
			}
		}
	}
}
