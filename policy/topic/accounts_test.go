package topic

import (
	"testing"

	"aclgate/policy"
)

// lawOf returns the world with another dialect and namespace.
func (w *world) lawOf(d Dialect, n Namespace) *world {
	w.law = New(Options{Engine: w.engine, Dialect: d, Namespace: n})
	return w
}

// Where the broker knows accounts, what is printed names them, and what has no account, or one
// outside the scope, is not shown.
func TestAccountsOfTheBroker(t *testing.T) {
	for _, row := range []struct {
		name    string
		dialect Dialect
		access  policy.Access
		of      int64 // account of the token
		filter  string
		cid     int64
		room    int
		reason  policy.Reason
		printed string
	}{
		{"a branch, account by account", Flespi, policy.Standard, 11, "a", 0, 9, policy.Permitted, "$filter/cid=11/a | $filter/cid=111/a"},
		{"a branch that does not fit", Flespi, policy.Standard, 11, "a", 0, 1, policy.Permitted, "wide a"},
		{"the only root", Flespi, policy.Standard, 1, "a", 0, 9, policy.Permitted, "a"},
		{"the root alone", Flespi, policy.Standard, 1, "a", 1, 9, policy.Permitted, "$filter/cid=1/a"},
		{"one below, by the property", Flespi, policy.Standard, 11, "a", 111, 9, policy.Permitted, "$filter/cid=111/a"},
		{"one below, by the filter", Flespi, policy.Standard, 11, "$filter/cid=111/a", 0, 9, policy.Permitted, "$filter/cid=111/a"},
		{"the token's own alone", Flespi, policy.Standard, 11, "$filter/cid=11/a", 0, 9, policy.Permitted, "$filter/cid=11/a"},
		{"a sibling", Flespi, policy.Standard, 11, "$filter/cid=12/a", 0, 9, policy.ForeignAccount, ""},
		{"one above", Flespi, policy.Standard, 11, "a", 1, 9, policy.ForeignAccount, ""},
		{"one that is not there", Flespi, policy.Standard, 11, "a", 99, 9, policy.ForeignAccount, ""},
		{"twice", Flespi, policy.Standard, 11, "$filter/cid=11/a", 11, 9, policy.TopicSyntax, ""},
		{"twice in the filter", Flespi, policy.Standard, 11, "$filter/cid=11/$filter/cid=12/a", 0, 9, policy.TopicSyntax, ""},
		{"spelled otherwise", Flespi, policy.Standard, 11, "$filter/cid=011/a", 0, 9, policy.TopicSyntax, ""},
		{"shared", Flespi, policy.Standard, 11, "$share/g:2/$filter/cid=11/a", 0, 9, policy.Permitted, "$share/g:2/$filter/cid=11/a"},
		{"shared, a branch", Flespi, policy.Standard, 11, "$share/g/a", 0, 9, policy.Permitted, "$share/g/$filter/cid=11/a | $share/g/$filter/cid=111/a"},
		{"shared, a branch that does not fit", Flespi, policy.Standard, 11, "$share/g/a", 0, 1, policy.ShareWide, ""},
		{"with a time", Flespi, policy.ACLAccess, 11, "$filter/modified_since>1700000000/$filter/cid=11/a", 0, 9, policy.Permitted,
			"$filter/cid=11/$filter/modified_since>1700000000/a"},
		{"with an expression", Flespi, policy.ACLAccess, 11, "$filter/payload=x/a", 0, 9, policy.MatchUnreadable, ""},
		{"with a time that is none", Flespi, policy.ACLAccess, 11, "$filter/modified_since>x/a", 0, 9, policy.MatchUnreadable, ""},
		{"an expression of a standard token", Flespi, policy.Standard, 11, "$filter/payload=x/$filter/cid=11/a", 0, 9, policy.Permitted,
			"$filter/cid=11/$filter/payload=x/a"},
		{"in front of what is closed", Flespi, policy.Standard, 11, "$filter/cid=11/$SYS/#", 0, 9, policy.TopicClosed, ""},
		{"in front of a share", Flespi, policy.Standard, 11, "$filter/cid=11/$share/g/a", 0, 9, policy.TopicClosed, ""},
		{"lists of own topics", Flespi, policy.ACLAccess, 11, "$filter/cid=11/a,b/c", 0, 9, policy.NoTopicEntry, ""},
		{"a list at the first level", Flespi, policy.ACLAccess, 11, "$filter/cid=11/a,flespi,$SYS,b", 0, 9, policy.Narrowed, "$filter/cid=11/a"},
		{"plain, a branch", Plain, policy.Standard, 11, "a", 0, 9, policy.Permitted, "wide a"},
		{"plain, one account", Plain, policy.Standard, 12, "a", 0, 9, policy.Permitted, "a cid=12"},
		{"plain, one below", Plain, policy.Standard, 11, "a", 111, 9, policy.Permitted, "a cid=111"},
		{"plain, a branch, shared", Plain, policy.Standard, 11, "$share/g/a", 0, 9, policy.ShareWide, ""},
	} {
		w := newWorld(t, policy.ModeHeader).lawOf(row.dialect, ByCID)
		tok := w.plain(row.access, row.of)
		if row.access == policy.ACLAccess {
			tok = w.token(t, "mqtt subscribe a")
		}
		var s Subscription
		reason := w.judge(tok).Subscribe(&s, []byte(row.filter), row.cid, row.room)
		printed := printedOf(&s)
		if s.Wide {
			printed = "wide " + printed
		}
		if reason != row.reason || printed != row.printed {
			t.Errorf("%s: got %v %q, want %v %q", row.name, reason, printed, row.reason, row.printed)
		}
	}
}

func TestSendersOutside(t *testing.T) {
	w := newWorld(t, policy.ModeHeader).lawOf(Plain, ByCID)
	for cid, want := range map[int64]policy.Reason{
		0: policy.SenderOutside, 1: policy.SenderOutside, 12: policy.SenderOutside, 99: policy.SenderOutside, 11: policy.Permitted, 111: policy.Permitted,
	} {
		for _, topic := range []string{"a", "flespi/message/gw/devices/7"} {
			if got := w.judge(w.plain(policy.Standard, 11)).Deliver([]byte(topic), cid); got != want {
				t.Errorf("%s of account %d: got %v, want %v", topic, cid, got, want)
			}
		}
	}
	if got := w.judge(w.plain(policy.Standard, 1)).Deliver([]byte("a"), 0); got != policy.SenderOutside {
		t.Errorf("a message of nobody, to the root: got %v", got)
	}
}

// With an index, an account that was asked for is that one alone.
func TestOneAccountByTheIndex(t *testing.T) {
	w := newWorld(t, policy.ModeIDs)
	w.items = &placed{of: map[string]map[int64]int64{"gw/devices": {7: 11, 8: 111, 9: 12}}, tree: w.tree}
	for cid, want := range map[int64]string{
		0:   "flespi/message/gw/devices/7 | flespi/message/gw/devices/8",
		11:  "flespi/message/gw/devices/7",
		111: "flespi/message/gw/devices/8",
	} {
		j := w.judge(w.plain(policy.Standard, 11))
		var s Subscription
		if reason := j.Subscribe(&s, []byte("flespi/message/gw/devices/+"), cid, 9); reason != policy.Narrowed || printedOf(&s) != want || s.CID != cid {
			t.Errorf("account %d: got %v %q of %d, want %q", cid, reason, printedOf(&s), s.CID, want)
		}
	}
	j := w.judge(w.plain(policy.Standard, 11))
	for topic, want := range map[string]int64{"flespi/message/gw/devices/7": 11, "flespi/message/gw/devices/8": 111, "a": 0, "flespi/log/mqtt/x": 0} {
		if j.Deliver([]byte(topic), 0); j.Account() != want {
			t.Errorf("%s: got account %d, want %d", topic, j.Account(), want)
		}
	}
	// More than there is room for: the branch alone limits the token, so it gets what it asked for.
	var s Subscription
	if reason := j.Subscribe(&s, []byte("flespi/message/gw/devices/+"), 0, 1); reason != policy.Permitted || !s.Wide {
		t.Errorf("wide: got %v %q", reason, printedOf(&s))
	}
	if reason := j.Subscribe(&s, []byte("$share/g/flespi/message/gw/devices/+"), 0, 1); reason != policy.ShareWide {
		t.Errorf("wide and shared: got %v %q", reason, printedOf(&s))
	}
	w.items = nil
	if got := w.judge(w.plain(policy.Standard, 11)).Deliver([]byte("flespi/message/gw/devices/7"), 0); got != policy.IndexStale {
		t.Errorf("without an index: got %v", got)
	}
}

func TestListsOfTheDialect(t *testing.T) {
	w := newWorld(t, policy.ModeHeader).lawOf(Flespi, NoAccounts)
	for _, row := range []subscribeRow{
		{devices, "flespi/state/gw/devices/7,9/id,name", policy.Permitted, "flespi/state/gw/devices/7,9/id,name", ""},
		{devices, "flespi/state/gw/devices/7,2024,9/#", policy.Narrowed, "flespi/state/gw/devices/7,9/#", "2024"},
		{items, "flespi/state/gw/devices/7,9/#", policy.Narrowed, "flespi/state/gw/devices/7,9 | flespi/state/gw/devices/7,9/+", ""},
		{items, "flespi/state/gw/devices/+/id,name,telemetry", policy.Narrowed,
			"flespi/state/gw/devices/7/id,name | flespi/state/gw/devices/9/id,name", ""},
		{calcs, "flespi/interval/gw/calcs/5/devices/7,8,9/created,deleted", policy.Narrowed,
			"flespi/interval/gw/calcs/5/devices/7,9/created,deleted", "8"},
		{own, "messages,secret/a,b", policy.Narrowed, "messages/a,b", ""},
	} {
		row.run(t, w)
	}
}
