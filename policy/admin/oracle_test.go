package admin_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
)

// The naive decision procedure. It shares no code with the law: scopes are sets that are written
// out, addresses are compared by a table, and every rule of SPEC 10.4, 10.5 and 12 is spelled as it
// is written there. "" is permitted.

// covered says which of ipTexts lie within which, by hand.
var covered = map[string][]string{
	"10.0.0.0/8":  {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3"},
	"10.1.0.0/16": {"10.1.0.0/16", "10.1.2.3"},
	"10.1.2.3":    {"10.1.2.3"},
	"192.168.1.1": {"192.168.1.1"},
	"10.1.*":      {"10.1.*", "10.1.2.3", "10.1.2.?"},
	"10.*":        {"10.*", "10.1.*", "10.1.2.3", "10.1.2.?"},
	"10.1.2.?":    {"10.1.2.?", "10.1.2.3"},
}

// oracle is the world with one caller in it.
type oracle struct {
	*world
	c     admin.Caller
	self  record.Value // the caller's own document
	scope map[int64]bool
}

func newOracle(w *world, c admin.Caller) *oracle {
	o := &oracle{world: w, c: c, self: w.tokens[c.Token.ID], scope: w.branch(c.Scope)}
	if c.Operator && c.Scope == 0 {
		for id := range w.accounts {
			o.scope[id] = true
		}
	}
	return o
}

// mayCall: only masters and the operator administer.
func (o *oracle) mayCall() bool {
	return o.c.Operator || o.self.Get("access").Get("type").Text == "1"
}

func num(doc record.Value, name string) int64 { n, _ := doc.Get(name).Int(); return n }

func texts(doc record.Value, name string) []string {
	v := doc.Get(name)
	if v.Shape == record.List {
		var all []string
		for _, item := range v.Items {
			all = append(all, item.Text)
		}
		return all
	}
	if v.Text == "" || v.Text == "*" && name == "origins" {
		return nil
	}
	return strings.Split(v.Text, ",")
}

func (o *oracle) newToken(asked record.Value) string {
	cid := num(asked, "cid")
	if cid == 0 {
		cid = o.c.Scope
	}
	if cid == 0 {
		return "bad-field"
	}
	if !o.scope[cid] {
		return "denied"
	}
	if why := o.token(record.NewObject(), asked); why != "" {
		return why
	}
	return o.room("tokens_count", cid)
}

// token: rules 3 to 6, and that a token ends some time.
func (o *oracle) token(was, is record.Value) string {
	if num(is, "expire") == 0 && num(is, "ttl") == 0 {
		return "bad-field"
	}
	if num(is, "ttl") > 3600 && num(is, "ttl") != num(was, "ttl") || num(is, "expire") > now+30*86400 && num(is, "expire") != num(was, "expire") {
		return "stronger"
	}
	for _, e := range is.Get("access").Get("acl").Items {
		for _, id := range e.Get("ids").Items {
			if !o.holdsItem(was, e.Get("uri").Text, id) {
				return "denied"
			}
		}
	}
	if o.c.Operator {
		return ""
	}
	for name, within := range map[string]func(string, string) bool{
		"ips":     func(own, asked string) bool { return slices.Contains(covered[own], asked) },
		"origins": func(own, asked string) bool { return own == asked },
	} {
		own, asked := texts(o.self, name), texts(is, name)
		if own == nil {
			continue
		}
		if asked == nil {
			return "stronger"
		}
		for _, a := range asked {
			if !slices.ContainsFunc(own, func(text string) bool { return within(text, a) }) {
				return "stronger"
			}
		}
	}
	lasting := num(o.self, "expire") == 0 || num(o.self, "ttl") > 0
	if !lasting && num(o.self, "user_id") == 0 && (num(is, "ttl") > 0 || num(is, "expire") > num(o.self, "expire")) {
		return "stronger"
	}
	return ""
}

func (o *oracle) holdsItem(was record.Value, uri string, id record.Value) bool {
	for _, e := range was.Get("access").Get("acl").Items {
		if e.Get("uri").Text == uri && slices.ContainsFunc(e.Get("ids").Items, id.Equal) {
			return true
		}
	}
	for it, cid := range o.items {
		if fmt.Sprint(it.id) == id.Text && (it.uri == uri || uri == "gw" && it.uri != "storage/cdns") && o.scope[cid] {
			return true
		}
	}
	return false
}

func (o *oracle) changeToken(before, after record.Value) string {
	if !o.scope[num(before, "cid")] {
		return "denied"
	}
	rights := false
	for _, f := range record.Tokens.Fields {
		was, is := before.Get(f.Name), after.Get(f.Name)
		switch {
		case was.Equal(is) || nothing(was) && nothing(is) || f.Name == "info" || f.Name == "metadata":
		case f.Name == "enabled" && (is.Text == "false" || was.Shape == record.Absent):
		default:
			rights = true
		}
	}
	if rights && session(before) {
		return "stronger"
	}
	if rights && !o.c.Operator {
		if num(before, "id") == num(o.self, "id") {
			return "stronger"
		}
		if user := num(o.self, "user_id"); user != 0 && user != num(before, "user_id") {
			return "stronger"
		}
	}
	if rights {
		if why := o.token(before, after); why != "" {
			return why
		}
	}
	return o.lastMaster(before, after)
}

// session reports whether a record is a login: it is of a user, and no token made it.
func session(doc record.Value) bool {
	return num(doc, "user_id") != 0 && num(doc, "created_by") == 0 && num(doc.Get("access"), "type") == 3 // noapi
}

// nothing reports whether a value means what an absent one does.
func nothing(v record.Value) bool {
	return v.Shape == record.Absent || v.Shape == record.Text && v.Text == "" || v.Text == "0" || v.Text == "*"
}

func (o *oracle) lastMaster(before, after record.Value) string {
	if o.c.Operator || num(o.accounts[num(before, "cid")], "parent") != 0 || !usable(before) || usable(after) {
		return ""
	}
	for id, doc := range o.tokens {
		if id != num(before, "id") && num(doc, "cid") == num(before, "cid") && usable(doc) {
			return ""
		}
	}
	return "in-the-way"
}

func usable(doc record.Value) bool {
	alive := num(doc, "expire") > now || num(doc, "ttl") > 0 && num(doc, "created")+num(doc, "ttl") > now
	return alive && doc.Get("access").Get("type").Text == "1" && doc.Get("enabled").Text != "false" && num(doc, "user_id") == 0
}

func (o *oracle) deleteToken(before record.Value) string {
	if !o.scope[num(before, "cid")] {
		return "denied"
	}
	return o.lastMaster(before, record.NewObject())
}

// room: every account from cid up is asked whether one more fits.
func (o *oracle) room(bound string, cid int64) string {
	for id := range o.accounts {
		limit, found := o.limits[num(o.accounts[id], "limit_id")]
		if !o.branch(id)[cid] || !found || limit.Get(bound).Shape == record.Absent || num(limit, bound) < 0 {
			continue
		}
		n := int64(0)
		switch bound {
		case "tokens_count":
			for _, doc := range o.tokens {
				if o.branch(id)[num(doc, "cid")] {
					n++
				}
			}
		case "limits_count":
			for _, doc := range o.limits {
				if o.branch(id)[num(doc, "cid")] {
					n++
				}
			}
		case "subaccounts_count":
			n = int64(len(o.branch(id))) - 1
		}
		if n+1 > num(limit, bound) {
			return "limit-reached"
		}
	}
	return ""
}

func (o *oracle) below(id int64) bool { return o.scope[id] && id != o.c.Scope }

func (o *oracle) newAccount(asked record.Value) string {
	if o.c.Scope != 0 && len(o.above(o.c.Scope))+2 > maxDepth {
		return "bad-field"
	}
	up := o.above(o.c.Scope)
	up[o.c.Scope] = true
	if why := o.named(0, asked, up); why != "" || o.c.Scope == 0 {
		return why
	}
	return o.room("subaccounts_count", o.c.Scope)
}

// named judges limit_id and consultancy_account_id. up holds the accounts strictly above.
func (o *oracle) named(self int64, asked record.Value, up map[int64]bool) string {
	if id := num(asked, "limit_id"); id != 0 {
		switch maker := num(o.limits[id], "cid"); {
		case !o.scope[maker]:
			return "denied"
		case !up[maker]:
			return "bad-field"
		}
	}
	if id := num(asked, "consultancy_account_id"); id != 0 {
		switch {
		case !o.scope[id]:
			return "denied"
		case id == self:
			return "bad-field"
		case !o.c.Operator && num(o.self, "user_id") == 0 && num(o.self, "ttl") == 0 && num(o.self, "expire") != 0 && num(o.self, "expire") < now+3650*86400:
			return "stronger" // it lets users read who log in when the caller is long gone
		}
	}
	return ""
}

func (o *oracle) changeAccount(before, asked record.Value) string {
	if !o.below(num(before, "id")) {
		return "denied"
	}
	return o.named(num(before, "id"), asked, o.above(num(before, "id")))
}

func (o *oracle) deleteAccount(id int64) string {
	if !o.below(id) {
		return "denied"
	}
	if len(o.branch(id)) > 1 {
		return "in-the-way"
	}
	for _, owner := range o.items {
		if owner == id {
			return "in-the-way"
		}
	}
	return ""
}

func (o *oracle) newLimit() string {
	if o.c.Scope == 0 {
		return "bad-field"
	}
	return o.room("limits_count", o.c.Scope)
}

func (o *oracle) deleteLimit(before record.Value) string {
	if !o.scope[num(before, "cid")] {
		return "denied"
	}
	for _, doc := range o.accounts {
		if num(doc, "limit_id") == num(before, "id") {
			return "in-the-way"
		}
	}
	return ""
}

func word(f *record.Fault) string {
	if f == nil {
		return ""
	}
	return f.Class.String()
}

// check compares one verdict.
func check(t *testing.T, o *oracle, what string, subject record.Value, got *record.Fault, want string) bool {
	t.Helper()
	if word(got) == want {
		return true
	}
	t.Errorf("%s %s by %s for account %d (operator %v): got %q (%v), want %q", what, subject, o.self, o.c.Scope, o.c.Operator, word(got), got, want)
	return false
}

// TestOracle: route × caller × record of generated worlds, without a difference.
func TestOracle(t *testing.T) {
	worlds := 6
	if testing.Short() {
		worlds = 3
	}
	verdicts := map[string]int{}
	for seed := range worlds {
		r := rand.New(rand.NewPCG(7, uint64(seed)))
		w := newWorld(r)
		for _, c := range w.callers() {
			o := newOracle(w, c)
			l := w.law(c)
			for _, route := range admin.Routes() {
				if got := l.MayCall(&route, policy.POST, false) == nil; got != o.mayCall() {
					t.Fatalf("%s by %s: %v", route.Path, o.self, got)
				}
			}
			if !o.mayCall() {
				continue
			}
			for what, n := range judgeAll(t, r, o, l) {
				verdicts[what] += n
			}
			if t.Failed() {
				t.Fatalf("in world %d", seed)
			}
		}
	}
	t.Log(verdicts)
	for _, want := range []string{"POST tokens ", "POST tokens stronger", "POST tokens limit-reached", "PUT tokens in-the-way", "PUT tokens stronger",
		"DELETE tokens in-the-way", "PUT subaccounts bad-field", "PUT subaccounts denied", "DELETE limits in-the-way", "DELETE subaccounts "} {
		if verdicts[want] == 0 {
			t.Errorf("the worlds never show %q", want)
		}
	}
}

// judgeAll judges every record by one caller, and counts the verdicts.
func judgeAll(t *testing.T, r *rand.Rand, o *oracle, l *admin.Law) map[string]int {
	n := map[string]int{}
	verdict := func(what string, subject record.Value, got *record.Fault, want string) {
		check(t, o, what, subject, got, want)
		n[what+" "+want]++
	}
	for range 8 {
		asked := first(record.Tokens.ReadNew(o.randomToken(r, true)))
		_, fault := l.NewToken(asked)
		verdict("POST tokens", asked, fault, o.newToken(asked))
	}
	for _, id := range ids(o.tokens) {
		doc := o.tokens[id]
		if got := l.SeesToken(doc); got != o.scope[num(doc, "cid")] {
			t.Errorf("sees %s: %v", doc, got)
		}
		change := o.randomToken(r, false)
		if r.IntN(2) == 0 {
			change = pick(r, mustParse(`{"enabled":false}`), mustParse(`{"enabled":true}`))
		}
		if after, fault := record.Tokens.Put(doc, change); fault == nil {
			verdict("PUT tokens", after, l.ChangeToken(doc, after), o.changeToken(doc, after))
		}
		verdict("DELETE tokens", doc, l.DeleteToken(doc), o.deleteToken(doc))
	}
	asked := first(record.Subaccounts.ReadNew(o.randomAccount(r, true)))
	_, fault := l.NewAccount(asked)
	verdict("POST subaccounts", asked, fault, o.newAccount(asked))
	for _, id := range ids(o.accounts) {
		doc := o.accounts[id]
		if got := l.SeesAccount(id); got != o.below(id) {
			t.Errorf("sees account %d: %v", id, got)
		}
		asked := o.randomAccount(r, false)
		after, _ := record.Subaccounts.Put(doc, asked)
		verdict("PUT subaccounts", after, l.ChangeAccount(doc, asked, after), o.changeAccount(doc, asked))
		verdict("DELETE subaccounts", doc, l.DeleteAccount(id, false), o.deleteAccount(id))
	}
	asked = first(record.Limits.ReadNew(o.randomLimit(r)))
	_, fault = l.NewLimit(asked)
	verdict("POST limits", asked, fault, o.newLimit())
	for _, id := range ids(o.limits) {
		doc := o.limits[id]
		after, _ := record.Limits.Put(doc, o.randomLimit(r))
		want := ""
		if !o.scope[num(doc, "cid")] {
			want = "denied"
		}
		verdict("PUT limits", after, l.ChangeLimit(doc, after), want)
		verdict("DELETE limits", doc, l.DeleteLimit(doc), o.deleteLimit(doc))
	}
	return n
}

func first(docs []record.Value, fault *record.Fault) record.Value {
	if fault != nil {
		panic(fault)
	}
	return docs[0]
}

// TestForeignIsMissing: a record that is out of scope and one that does not exist are one answer,
// byte for byte but for the id (SPEC 14, 3).
func TestForeignIsMissing(t *testing.T) {
	w := newWorld(rand.New(rand.NewPCG(1, 1)))
	for _, c := range w.callers() {
		l := w.law(c)
		if c.Operator || c.Token.Access != policy.Master {
			continue
		}
		scope := w.branch(c.Scope)
		for id := range w.accounts {
			if scope[id] {
				continue
			}
			body := record.NewObject(record.Member{Name: "access", Value: mustParse(`{"type":0}`)}, record.Member{Name: "expire", Value: record.NewInt(expires[0])})
			_, foreign := l.NewToken(body.With("cid", record.NewInt(id)))
			_, missing := l.NewToken(body.With("cid", record.NewInt(99999)))
			missing.ID = id
			if string(foreign.Append(nil)) != string(missing.Append(nil)) {
				t.Errorf("%s, %s", foreign.Append(nil), missing.Append(nil))
			}
		}
		for id, doc := range w.limits {
			if scope[num(doc, "cid")] {
				continue
			}
			_, foreign := l.NewAccount(mustParse(fmt.Sprintf(`{"name":"x","limit_id":%d}`, id)))
			_, missing := l.NewAccount(mustParse(`{"name":"x","limit_id":99999}`))
			if missing.Class == record.Denied {
				missing.ID = id
			}
			if string(foreign.Append(nil)) != string(missing.Append(nil)) {
				t.Errorf("%s, %s", foreign.Append(nil), missing.Append(nil))
			}
		}
	}
}

// TestRowsNameNothingAbove: no number in a row is the id of an account, token or limit that the
// caller does not see, but for the account above in the row of the account itself.
func TestRowsNameNothingAbove(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(2, seed))
		w := newWorld(r)
		for id := range w.tokens {
			w.tokens[id] = w.tokens[id].With("created_by", record.NewInt(pick(r, ids(w.tokens)...)))
		}
		for id := range w.accounts {
			w.accounts[id] = w.accounts[id].With("consultancy_account_id", record.NewInt(w.anyAccount(r)))
		}
		for _, c := range w.callers() {
			l, scope := w.law(c), newOracle(w, c).scope
			for _, doc := range w.tokens {
				if by := num(l.Row(record.Tokens, doc), "created_by"); l.SeesToken(doc) && by != 0 && !scope[num(w.tokens[by], "cid")] {
					t.Fatalf("the row of %s names token %d", doc, by)
				}
			}
			for id, doc := range w.accounts {
				row := l.Row(record.Subaccounts, doc)
				if !l.SeesAccount(id) {
					continue
				}
				if limit := num(row, "limit_id"); limit != 0 && !scope[num(w.limits[limit], "cid")] {
					t.Fatalf("the row of %s names limit %d", doc, limit)
				}
				if other := num(row, "consultancy_account_id"); other != 0 && !scope[other] {
					t.Fatalf("the row of %s names account %d", doc, other)
				}
			}
		}
	}
}
