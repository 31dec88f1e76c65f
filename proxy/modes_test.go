package proxy

import (
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
)

func inMode(m policy.Mode) setup {
	return func(_ *Options, e *policy.Engine, _ *head.Config) { e.Mode = m }
}

// With one account and no fence nothing of accounts goes upstream; x-flespi-cid may name that account
// alone, and entries limit as ever.
func TestModeNone(t *testing.T) {
	b := startText(t, plain(`{"result":[]}`))
	f := newFixture(t, b.url, withResolver, inMode(policy.ModeNone))
	f.accounts([2]int64{11, 0})
	f.token(allKey, "standard", 11, "")
	f.token(rootKey, "master", 11, "")
	f.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[1,2]}]`)
	rows := []struct {
		key, method, target, header string
		status                      int
		sent                        string // to the backend; "": nothing
	}{
		{allKey, "GET", "/gw/devices/all", "", 200, "/gw/devices/all"},
		{allKey, "GET", "/gw/devices/7,9", "", 200, "/gw/devices/7,9"},
		{allKey, "GET", "/gw/devices/name=x", "x-flespi-cid: 11", 200, "/gw/devices/name=x"},
		{allKey, "GET", "/mqtt/sessions/all", "", 200, "/mqtt/sessions/all"},
		{rootKey, "GET", "/platform/webhooks/all", "", 200, "/platform/webhooks/all"},
		{allKey, "GET", "/platform/webhooks/all", "", 403, ""},
		{allKey, "GET", "/gw/devices/all?cid=11", "", 200, "/gw/devices/all"},
		{allKey, "GET", "/gw/devices/all", "x-flespi-cid: 12", 403, ""},
		{allKey, "GET", "/gw/devices/all?cid=1", "", 403, ""},
		{readerKey, "GET", "/gw/devices/all", "", 200, "/gw/devices/1,2"},
		{readerKey, "GET", "/gw/devices/3", "", 403, ""},
		{readerKey, "DELETE", "/gw/devices/1", "", 403, ""},
	}
	for _, row := range rows {
		var headers []string
		if row.header != "" {
			headers = []string{row.header}
		}
		got := f.raw(request(row.key, row.method, row.target, "", headers...))
		sent := b.take()
		if got.status != row.status || len(sent) != min(1, len(row.sent)) {
			t.Errorf("%s %s %s: got %d and %d requests at the backend, want %d", row.method, row.target, row.header, got.status, len(sent), row.status)
			continue
		}
		if row.sent != "" && (sent[0].target() != row.sent || len(sent[0].all("x-flespi-cid")) != 0) {
			t.Errorf("%s: sent %q", row.target, sent[0].raw)
		}
	}
}

// A second account, by whatever way it came, is one too many: nobody is let in rather than one into
// the other's items.
func TestModeNoneWithTwoAccounts(t *testing.T) {
	b := startText(t, plain(`{"result":[]}`))
	f := newFixture(t, b.url, inMode(policy.ModeNone))
	f.accounts([2]int64{11, 0}, [2]int64{12, 0})
	f.token(allKey, "standard", 11, "")
	for _, target := range []string{"/gw/devices/all", "/gw/devices/1", "/auth/info"} {
		got := f.raw(request(allKey, "GET", target, ""))
		if sent := b.take(); got.status != 503 || got.header.Get("Retry-After") == "" || len(sent) != 0 {
			t.Errorf("%s: got %d and %d requests at the backend, want 503 and none", target, got.status, len(sent))
		}
	}
}

// The backend is told who asks by names that no client can set, in whatever spelling; a public route
// says nothing of anybody, and without the setting nobody is named.
func TestIdentity(t *testing.T) {
	forged := []string{
		"x-aclgate-token: 1", "X-ACLGATE-ACCOUNT: 1", "x-aclgate-user: admin", "x-aclgate-roles: admin", "X-Aclgate-Roles: admin",
	}
	names := []string{"x-aclgate-token", "x-aclgate-account", "x-aclgate-user", "x-aclgate-roles"}
	said := func(r wireRequest) string {
		var all []string
		for _, name := range names {
			all = append(all, strings.Join(r.all(name), "+"))
		}
		return strings.Join(all, " ")
	}
	for _, on := range []bool{true, false} {
		w := textWired(t, plain(`{"result":[]}`), func(o *Options, _ *policy.Engine, _ *head.Config) {
			o.Identity, o.PassHeaders = on, []string{"x-custom"}
		})
		rows := []struct{ key, method, target, want string }{
			{readerKey, "GET", "/gw/devices/all", "3 11  "},
			{readerKey, "PUT", "/gw/devices/1", "3 11  "},
			{rootKey, "GET", "/gw/devices/all?cid=12", "1 1  "}, // who asks, not where
			{rootKey, "GET", "/const/values", "   "},
		}
		for _, row := range rows {
			body := ""
			if row.method == "PUT" {
				body = "{}"
			}
			w.raw(request(row.key, row.method, row.target, body, forged...))
			want := row.want
			if !on {
				want = "   "
			}
			if got := said(w.backend.one(t)); got != want {
				t.Errorf("%v, %s %s: got %q, want %q", on, row.method, row.target, got, want)
			}
		}
		for _, name := range names { // what some backends fold into the same variable
			got := w.raw(request(readerKey, "GET", "/gw/devices/1", "", strings.ReplaceAll(name, "-", "_")+": 1"))
			for _, r := range w.backend.take() {
				if strings.Contains(r.raw, "_token") || strings.Contains(r.raw, "_account") || got.status != 200 {
					t.Errorf("got %d, sent %q", got.status, r.raw)
				}
			}
		}
	}
}

// A write by all or a match reaches no more than policy.max_write says, and nothing is forwarded
// where nobody here knows how many that are; what names its items passes, and so does what reads.
func TestMaxWrite(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`), func(_ *Options, e *policy.Engine, _ *head.Config) { e.MaxWrite = 1 })
	const unknown = "this would change an unknown number of items: name them"
	rows := []struct {
		key, method, target string
		refused             string
	}{
		{readerKey, "PUT", "/gw/devices/all", "this would change 2 items: name them"},
		{readerKey, "PUT", "/gw/devices/1,2", ""},
		{readerKey, "GET", "/gw/devices/all", ""},
		{allKey, "DELETE", "/gw/devices/all", unknown},
		{allKey, "DELETE", "/gw/devices/%61ll", unknown},
		{allKey, "PATCH", "/gw/devices/all", unknown},
		{allKey, "DELETE", "/gw/devices/name=x", unknown},
		{allKey, "DELETE", "/gw/devices/all,name=x", unknown},
		{allKey, "DELETE", "/gw/devices/%7Bname=='x'%7D", unknown},
		{allKey, "DELETE", "/gw/devices/7,9,name=x", ""},
		{allKey, "DELETE", "/gw/devices/all/messages", unknown},
		{allKey, "PUT", "/gw/devices/all/settings/x", unknown},
		{allKey, "DELETE", "/gw/devices/1/settings/all", ""}, // settings are no items
		{allKey, "DELETE", "/gw/calcs/5/devices/all", unknown},
		{allKey, "DELETE", "/gw/calcs/5/devices/7,9", ""},
		{allKey, "DELETE", "/mqtt/messages/all", unknown},
		{allKey, "DELETE", "/mqtt/messages/a%2Fb", ""},
		{allKey, "POST", "/gw/devices/all/commands", ""},
		{allKey, "GET", "/gw/devices/all", ""},
	}
	for _, row := range rows {
		body := ""
		if row.method != "GET" && row.method != "DELETE" {
			body = "{}"
		}
		got := w.raw(request(row.key, row.method, row.target, body))
		sent := w.backend.take()
		switch {
		case row.refused == "" && (got.status != 200 || len(sent) != 1):
			t.Errorf("%s %s: got %d %s", row.method, row.target, got.status, got.body)
		case row.refused != "" && (got.status != 400 || len(sent) != 0 || !strings.Contains(got.body, row.refused)):
			t.Errorf("%s %s: got %d %s and %d requests, want %q", row.method, row.target, got.status, got.body, len(sent), row.refused)
		}
	}
}
