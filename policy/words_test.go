package policy_test

import (
	"regexp"
	"testing"

	"aclgate/policy"
)

func TestReasonsAreDistinctWords(t *testing.T) {
	word := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]policy.Reason{}
	for i, r := range policy.Reasons() {
		if int(r) != i {
			t.Errorf("reason %d stands at %d", r, i)
		}
		if other, twice := seen[r.String()]; twice || !word.MatchString(r.String()) {
			t.Errorf("reason %d: got the word %q, which is none or that of %d", r, r, other)
		}
		seen[r.String()] = r
		if r.Error() != r.String() {
			t.Errorf("as an error %v is %q", r, r.Error())
		}
	}
	if got := policy.Reason(255).String(); got != policy.NotJudged.String() {
		t.Errorf("got %v for no reason, want %v", got, policy.NotJudged)
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var d policy.Decision
	if d.Verdict != policy.Deny || d.Reason != policy.NotJudged {
		t.Errorf("got %v %v, want deny not-judged", d.Verdict, d.Reason)
	}
	var m policy.Method
	var set policy.MethodSet
	if set.Has(m) || set.Permits(m) || policy.Methods(policy.NoMethod).Has(policy.NoMethod) || m.Write() {
		t.Error("no method is permitted by something")
	}
	var acl *policy.ACL
	if c := catalogue(t).Collection("gw/devices"); acl.Choose(c, policy.SlotItem, policy.GET) != nil || acl.Covers(c) {
		t.Error("no ACL permits something")
	}
	engine, r := policy.Engine{Catalogue: catalogue(t)}, policy.Request{}
	r.Parse(&engine, policy.GET, []byte("/gw/devices/1"))
	engine.Decide(&d, &policy.Input{Request: &r, Token: &policy.Token{}})
	if d.Verdict != policy.Deny {
		t.Errorf("a token without access: got %v, want deny", d.Verdict)
	}
}

func TestVerdictWords(t *testing.T) {
	got := ""
	for _, v := range policy.Verdicts() {
		got += v.String() + " "
	}
	if want := "deny narrow allow "; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMethods(t *testing.T) {
	words := map[string]policy.Method{
		"GET": policy.GET, "POST": policy.POST, "PUT": policy.PUT, "PATCH": policy.PATCH, "DELETE": policy.DELETE,
		"": policy.NoMethod, "get": policy.NoMethod, "HEAD": policy.NoMethod, "GET ": policy.NoMethod, "OPTIONS": policy.NoMethod,
	}
	for word, want := range words {
		if got := policy.ParseMethod([]byte(word)); got != want {
			t.Errorf("%q: got %v, want %v", word, got, want)
		}
		if want != policy.NoMethod && want.String() != word {
			t.Errorf("got %v, want %v", want, word)
		}
	}
	if got := policy.Method(200).String(); got != "" {
		t.Errorf("got %q for no method", got)
	}
}

func TestMethodSet(t *testing.T) {
	rows := []struct {
		set     policy.MethodSet
		words   string
		patches bool
	}{
		{policy.Methods(), "", false},
		{policy.Methods(policy.DELETE, policy.GET), "GET, DELETE", false},
		{policy.Methods(policy.PUT), "PUT", true},
		{policy.Methods(policy.PATCH), "PATCH", true},
		{policy.Methods(policy.GET, policy.POST, policy.PUT, policy.PATCH, policy.DELETE), "GET, POST, PUT, PATCH, DELETE", true},
	}
	for _, row := range rows {
		if got := row.set.String(); got != row.words {
			t.Errorf("got %q, want %q", got, row.words)
		}
		if got := string(row.set.Append([]byte("Allow: "))); got != "Allow: "+row.words {
			t.Errorf("got %q, want %q", got, "Allow: "+row.words)
		}
		if got := row.set.Permits(policy.PATCH); got != row.patches {
			t.Errorf("%v permits PATCH: got %v, want %v", row.set, got, row.patches)
		}
	}
	if policy.Methods(policy.PATCH).Permits(policy.PUT) {
		t.Error("PATCH permits PUT")
	}
}

// TestDataNames are the keys that the data of a GET may not and may hold.
func TestDataNames(t *testing.T) {
	c := catalogue(t)
	for _, key := range []string{"cid", "CID", "devices", "Devices", "device_id", "device_ids", "channels", "channel_id", "containers", "id", "ids", "accounts", "device\u017f", "c\u0130d", "\u0131d", "accoun\u0074\u017f"} {
		if !c.NamesItems([]byte(key)) {
			t.Errorf("%q: got data, want the name of an item or account", key)
		}
	}
	for _, key := range []string{"from", "to", "fields", "filter", "count", "reverse", "limit", "method", "generalize", "name"} {
		if c.NamesItems([]byte(key)) {
			t.Errorf("%q: got the name of an item or account, want data", key)
		}
	}
}
