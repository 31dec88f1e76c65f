package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"aclgate/policy"
)

// TestLengths are the bounds of SPEC 2 on both sides.
func TestLengths(t *testing.T) {
	a := func(n int) string { return strings.Repeat("a", n) }
	rows := []struct {
		name, target string
		want         policy.Reason
	}{
		{"longest value", "/gw/devices/name=" + a(1024), policy.NotJudged},
		{"value too long", "/gw/devices/name=" + a(1025), policy.BadSelector},
		{"longest value after ==", "/gw/devices/name==" + a(1024), policy.NotJudged},
		{"each value counts alone", "/gw/devices/name=" + a(1024) + ",info=" + a(1024), policy.NotJudged},
		{"decoded length counts", "/gw/devices/name=" + strings.Repeat("%61", 1024), policy.NotJudged},
		{"longest expression", "/gw/devices/{" + a(4094) + "}", policy.NotJudged},
		{"expression too long", "/gw/devices/{" + a(4095) + "}", policy.BadSelector},
		{"32 brackets", "/gw/devices/" + strings.Repeat("{", 32) + strings.Repeat("}", 32), policy.NotJudged},
		{"33 brackets", "/gw/devices/" + strings.Repeat("{", 33) + strings.Repeat("}", 33), policy.BadSelector},
		{"brackets in a row are not deep", "/gw/devices/{" + strings.Repeat("()", 99) + "}", policy.NotJudged},
		{"local selectors have no bound of their own", "/gw/devices/1/settings/" + a(5000), policy.NotJudged},
	}
	engine := policy.Engine{Catalogue: catalogue(t)}
	for _, row := range rows {
		var r policy.Request
		if got := r.Parse(&engine, policy.GET, []byte(row.target)); got != row.want {
			t.Errorf("%s: got %v %v, want %v", row.name, got, r.Detail, row.want)
		}
	}
}

// TestRefusalsAreExplained: the client is told what was wrong, about its own text; what is fine
// explains nothing.
func TestRefusalsAreExplained(t *testing.T) {
	engine := policy.Engine{Catalogue: catalogue(t)}
	for _, target := range targetSeeds() {
		var r policy.Request
		reason := r.Parse(&engine, policy.GET, []byte(target))
		if refused := reason != policy.NotJudged; refused != (r.Detail != "") {
			t.Errorf("%q: got %v with the detail %q", target, reason, r.Detail)
		}
	}
	var r policy.Request
	r.Parse(&engine, policy.PUT, []byte("/gw/devices/1?unheard=1"))
	if string(r.Arg) != "unheard" {
		t.Errorf("an unknown parameter: got %q, want its name", r.Arg)
	}
}

// TestAllow: what a known shape takes, for the Allow header of a 405.
func TestAllow(t *testing.T) {
	rows := []struct{ method, target, want string }{
		{"POST", "/gw/devices/1", "GET, PUT, PATCH, DELETE"}, {"GET", "/gw/devices", "POST"},
		{"HEAD", "/platform/realms/1/users/5", "GET, PUT, PATCH, DELETE"}, {"GET", "/gw/unheard", ""},
	}
	engine := policy.Engine{Catalogue: catalogue(t)}
	for _, row := range rows {
		var r policy.Request
		r.Parse(&engine, policy.ParseMethod([]byte(row.method)), []byte(row.target))
		if got := r.Allow.String(); got != row.want || r.Route != nil {
			t.Errorf("%s %s: got %q, want %q", row.method, row.target, got, row.want)
		}
	}
}

// TestScopeAlone: an id list at every selector, or nothing but the scope stands between the caller
// and a foreign item.
func TestScopeAlone(t *testing.T) {
	w := newWorld()
	w.addAccount(1, 0)
	w.tokens["standard"] = &worldToken{access: "standard", cid: 1}
	get := []string{"GET", "POST"}
	w.tokens["few"] = &worldToken{access: "acl", cid: 1, entries: []worldEntry{
		{uri: "gw/devices", methods: get, rule: "list", ids: []int64{1}}, {uri: "gw/calcs", methods: get, rule: "list", ids: []int64{1}}, {uri: "gw/channels", methods: get},
	}}
	rows := []struct {
		token, method, target string
		want                  bool
	}{
		{"standard", "GET", "/gw/devices/1", true}, {"standard", "GET", "/gw/devices/all", true}, {"standard", "POST", "/gw/devices", true},
		{"few", "GET", "/gw/devices/1", false}, {"few", "GET", "/gw/devices/all", false}, {"few", "GET", "/gw/channels/1", true},
		{"few", "GET", "/gw/calcs/1/devices/1", false}, {"few", "GET", "/gw/calcs/1/assets/1", true}, {"few", "POST", "/gw/channels", true},
		{"few", "GET", "/gw/channel-protocols/all", false},
	}
	e := newEngine(t, w)
	for _, row := range rows {
		e.ask(ask{token: row.token, method: row.method, target: row.target})
		if got := e.d.OnlyAccountScope; got != row.want {
			t.Errorf("%v %v: got %v, want %v", row.token, row.target, got, row.want)
		}
	}
}

// TestDropped: what of a query is left out is named, escaped, in a bounded text.
func TestDropped(t *testing.T) {
	engine := policy.Engine{Catalogue: catalogue(t)}
	var many []string
	for i := range 64 {
		many = append(many, fmt.Sprintf("n%d=1", i))
	}
	rows := []struct{ query, want string }{
		{"limit=1", ""},
		{"_=1&reverse=true&limit=1&%C3%BC,%0A%22=2", "_,reverse,%C3%BC%2C%0A%22"},
		{strings.Repeat("x", 65) + "=1&y=1", strings.Repeat("x", 64) + "…,y"},
		{strings.Join(many, "&"), "n0,n1,n2,n3,n4,n5,n6,n7,n8,n9,n10,n11,n12,n13,n14,n15,…"},
	}
	for _, row := range rows {
		var r policy.Request
		if reason := r.Parse(&engine, policy.GET, []byte("/gw/devices/1?"+row.query)); reason != policy.NotJudged {
			t.Errorf("%s: got %v", row.query, reason)
		}
		if got := string(policy.AppendDropped(nil, &r)); got != row.want {
			t.Errorf("%s: got %s, want %s", row.query, got, row.want)
		}
	}
	var r policy.Request
	if reason := r.Parse(&engine, policy.GET, []byte("/gw/devices/1?"+strings.Join(many, "&")+"&one=2")); reason != policy.BadQuery {
		t.Errorf("65 parameters: got %v, want %v", reason, policy.BadQuery)
	}
	engine.RefuseUnknown = true
	if reason := r.Parse(&engine, policy.GET, []byte("/gw/devices/1?_=1")); reason != policy.BadQuery || string(r.Param) != "_" {
		t.Errorf("policy.query_unknown: refuse: got %v for %q", reason, r.Param)
	}
}
