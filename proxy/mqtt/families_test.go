package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// familyTokens are the tokens of TestFamilies: one that has the item, one for each submodule, one
// with linked items, one that may write only, one with the widest entries for own topics.
func (w *world) familyTokens() map[string]*policy.Token {
	get := policy.Methods(policy.GET)
	entry := func(uri string, item policy.MethodSet, subs string, ids ...int64) policy.Entry {
		e := policy.Entry{URI: uri, Methods: item, Rule: policy.IDsList, IDs: policy.NewIDSet(ids), HasSubmodules: true}
		for _, name := range strings.Fields(subs) {
			e.Submodules = append(e.Submodules, policy.Submodule{Name: name, Methods: get})
		}
		return e
	}
	tokens := map[string]*policy.Token{}
	for name, entries := range map[string][]policy.Entry{
		"item":      {entry("gw/devices", get, "", 7), entry("gw/calcs", get, "", 5), entry("gw/modems", get, "", 7)},
		"telemetry": {entry("gw/devices", 0, "telemetry", 7)},
		"messages":  {entry("gw/devices", 0, "messages", 7)},
		"logs":      {entry("gw/devices", 0, "logs", 7)},
		"linked":    {entry("gw/calcs", 0, "devices", 5), entry("gw/devices", get, "", 7)},
		"writer":    {entry("gw/devices", policy.Methods(policy.ParseMethod([]byte("PUT"))), "", 7)},
		"mqtt":      {{URI: "mqtt", Actions: policy.Publish | policy.Subscribe, Topic: "#"}, {URI: "mqtt", Actions: policy.Subscribe, Topic: "flespi/#"}},
	} {
		tokens[name] = &policy.Token{Access: policy.ACLAccess, ACL: policy.NewACL(entries, w.cat)}
	}
	tokens["standard"], tokens["master"] = &policy.Token{Access: policy.Standard}, &policy.Token{Access: policy.Master}
	id := int64(100)
	for name, t := range tokens {
		id++
		t.ID, t.CID, t.Enabled, t.Expire = id, 1, true, 1<<40
		w.set("key-of-"+name, t)
	}
	return tokens
}

// TestFamilies goes through the table of SPEC 16.4.1 over the wire: each token asks for each topic by
// its name and by wildcards, and is shown, live and retained, exactly what the row says.
func TestFamilies(t *testing.T) {
	t.Parallel()
	w, f := fakeWorld(t, func(o *Options) { o.MaxSessions = 1000 })
	tokens := w.familyTokens()
	rows := []struct{ topic, shown string }{
		{"flespi/state/gw/devices/7", "item linked standard master"},
		{"flespi/state/gw/devices/7/name", "item linked standard master"},
		{"flespi/state/gw/devices/8/name", "standard master"},
		{"flespi/state/gw/devices/7/telemetry", "telemetry standard master"},
		{"flespi/state/gw/devices/7/Telemetry", ""},
		{"flespi/state/gw/devices/7/telemetry/a", "telemetry standard master"},
		{"flespi/state/gw/devices/8/telemetry/a", "standard master"},
		{"flespi/state/gw/devices/7/settings/a", "standard master"},
		{"flespi/state/gw/devices/7/connections/1", "standard master"},
		{"flespi/state/gw/devices/7/name/a", ""},
		{"flespi/state/gw/devices/07", ""},
		{"flespi/state/gw/channels/7/idents/a", "standard master"},
		{"flespi/message/gw/devices/7", "messages standard master"},
		{"flespi/message/gw/devices/8/a", "standard master"},
		{"flespi/message/gw/modems/7/sms", "item standard master"},
		{"flespi/message/gw/modems/8/sms", "standard master"},
		{"flespi/log/gw/devices/7/created", "logs standard master"},
		{"flespi/log/gw/devices/8/created", "standard master"},
		{"flespi/state/gw/calcs/5/name", "item standard master"},
		{"flespi/state/gw/calcs/5/devices/7/a", "linked standard master"},
		{"flespi/state/gw/calcs/5/devices/8/a", "standard master"},
		{"flespi/state/gw/calcs/6/devices/7/a", "standard master"},
		{"flespi/state/gw/calcs/5/devices", "standard master"},
		{"flespi/interval/gw/calcs/5/devices/7/created", "linked standard master"},
		{"flespi/interval/gw/calcs/5/devices/8/created", "standard master"},
		{"flespi/interval/gw/devices/7/devices/7/created", ""},
		{"flespi/state/platform/webhooks/3", "master"},
		{"flespi/log/platform/customer/a", "master"},
		{"flespi/state/platform/tokens/3", ""},
		{"flespi/state/mqtt/sessions/3", "standard master"},
		{"flespi/log/mqtt/client/a", "standard master"},
		{"flespi/rest/get/gw/devices/7", ""},
		{"flespi/unheard/gw/devices/7", ""},
		{"flespi/state/gw/unheard/7", ""},
		{"$SYS/broker/version", ""},
		{"a/b", "mqtt standard master"},
		{"/flespi/state/gw/devices/7", "mqtt standard master"},
	}
	for _, row := range rows {
		f.Publish(fake.Message{Topic: row.topic, Payload: "kept", Retain: true})
	}
	for name := range tokens {
		for _, row := range rows {
			filters := []string{row.topic}
			if i := strings.LastIndexByte(row.topic, '/'); i > 0 {
				filters = append(filters, row.topic[:i]+"/+", row.topic[:i]+"/#", "$share/g/"+row.topic)
			}
			for _, filter := range filters {
				var want []string
				asked := strings.TrimPrefix(filter, "$share/g/")
				for _, other := range rows {
					if slices.Contains(strings.Fields(other.shown), name) && naiveMatch(asked, other.topic) {
						want = append(want, other.topic)
						if asked == filter { // a group is not sent what is retained
							want = append(want, other.topic)
						}
					}
				}
				p := w.in("key-of-"+name, "families")
				p.subscribe(1, 0, filter)
				var got []string
				note := func(until string) {
					next := p.next()
					for ; !strings.HasPrefix(next, until); next = p.next() {
						got = append(got, strings.TrimPrefix(next[:strings.LastIndex(next, "=")], "PUBLISH "))
					}
					if until == "SUBACK" && strings.Contains(next, "[0x01]") != (len(want) > 0) && len(want) > 0 {
						t.Errorf("%s asks for %s: %s, want %v", name, filter, next, want)
					}
				}
				note("SUBACK")
				for _, other := range rows {
					f.Publish(fake.Message{Topic: other.topic, Payload: "live"})
				}
				p.send(&wire.Empty{Type: wire.PINGREQ})
				note("PINGRESP")
				slices.Sort(want)
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%s asks for %s and is shown %v, want %v", name, filter, got, want)
				}
				p.send(&wire.Disconnect{})
				p.Close()
			}
		}
	}
}

// TestManyFilters: no session asks for more filters than it may have, in one packet or in many, and
// however little is printed for them.
func TestManyFilters(t *testing.T) {
	w, f := fakeWorld(t, func(o *Options) { o.MaxFilters = 20 })
	p := w.in("acl-key-1", "many")
	var all []string
	for range 30 {
		all = append(all, "a/x")
	}
	p.subscribe(1, 0, all...)
	want := strings.TrimSpace(strings.Repeat("0x01 ", 20) + strings.Repeat("0x97 ", 10))
	p.want("SUBACK 1 [" + want + "] <nil>")
	denied := 0
	for i := range 60 { // by one printed filter each, or by none
		p.subscribe(uint16(i+2), 0, fmt.Sprintf("flespi/state/gw/devices/7,%d/telemetry/x", 100+i))
		if got := p.next(); strings.Contains(got, "0x97") {
			denied++
		}
	}
	if s := w.server.Stats(); denied != 41 || s.Asked != 20 {
		t.Errorf("%d denied, want 41; %+v", denied, s)
	}
	n := 0
	for _, r := range f.Received() {
		if r.Type == byte(wire.SUBSCRIBE) {
			n++
		}
	}
	if n > 40 {
		t.Errorf("the broker got %d SUBSCRIBE", n)
	}
}
