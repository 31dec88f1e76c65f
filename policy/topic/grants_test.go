package topic

import (
	"testing"

	"aclgate/policy"
)

// itemsOf is an index made of a map, of every collection alike.
type itemsOf map[int64]int64

func (x itemsOf) Account(_ *policy.Collection, id int64) (int64, bool) {
	cid, known := x[id]
	return cid, known
}

func (x itemsOf) Of(c *policy.Collection, cid int64) (ids []int64) {
	for id := range int64(100) {
		if x[id] == cid || cid == 11 && x[id] == 111 {
			ids = append(ids, id)
		}
	}
	return ids
}
func (itemsOf) Doubtful(*policy.Collection, int64) []int64  { return nil }
func (itemsOf) Members(*policy.Collection, []int64) []int64 { return nil }

// Topics of a granted item are shown as the GET that says the same would be, as long as the grant lasts:
// not those of the grantor's other items, no own topics of the grantor, and nothing under the grantor's
// account.
func TestTopicsOfGrantedItems(t *testing.T) {
	for _, namespace := range []Namespace{ByCID, ByPath} {
		w := newWorld(t, policy.ModeIDs)
		w.law = New(Options{Engine: w.engine, Namespace: namespace, Prefix: "t", Depth: 4})
		if namespace == ByCID {
			w.engine.Mode = policy.ModeBoth
		}
		w.items = itemsOf{7: 11, 8: 12, 9: 12, 10: 1}
		grant := policy.Grant{ID: 5, CID: 12, Enabled: true, Grantees: []int64{11}, Access: []policy.GrantAccess{
			{URI: "gw/devices", IDs: policy.NewIDSet([]int64{8, 10}), Levels: policy.LevelView},
			{URI: policy.AccountURI, Levels: policy.LevelOperateAs},
		}}
		j := w.judge(w.plain(policy.Standard, 11))
		want := func(topic string, cid int64, want policy.Reason) {
			t.Helper()
			if got := j.Deliver([]byte(topic), cid); got != want {
				t.Errorf("%v, %s of account %d: got %v, want %v", namespace, topic, cid, got, want)
			}
		}
		const device = "flespi/state/gw/devices/"
		foreign := policy.DeniedItems
		if namespace == ByCID {
			foreign = policy.SenderOutside
		}
		want(device+"8/telemetry/x", 12, foreign)
		j.Grants = policy.NewGrants([]policy.Grant{grant})
		want(device+"7/telemetry/x", 11, policy.Permitted)
		want(device+"8/telemetry/x", 12, policy.Permitted)
		want(device+"8", 12, policy.Permitted)
		want(device+"9/telemetry/x", 12, foreign)
		want(device+"10/telemetry/x", 12, foreign) // not the grantor's
		if namespace == ByCID {
			want("a/b", 12, policy.SenderOutside)
		}
		var s Subscription
		if reason := j.Subscribe(&s, []byte(device+"+/telemetry/+"), 0, 99); reason != policy.Narrowed {
			t.Errorf("%v: got %v", namespace, reason)
		}
		if namespace == ByCID {
			if reason := j.Subscribe(&s, []byte(device+"+"), 12, 99); reason != policy.ForeignAccount {
				t.Errorf("under the grantor: got %v", reason)
			}
		}
		grant.Expire = j.At
		j.Grants = policy.NewGrants([]policy.Grant{grant})
		want(device+"8/telemetry/x", 12, foreign)
		grant.Expire = 0
		j.Grants, j.Blocks = policy.NewGrants([]policy.Grant{grant}), blocked(12)
		want(device+"8/telemetry/x", 12, foreign)
		want(device+"7/telemetry/x", 11, policy.Permitted)
	}
}

type blocked int64

func (b blocked) Blocked(cid int64) bool { return cid == int64(b) }
