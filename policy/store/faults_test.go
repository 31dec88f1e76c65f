package store

import (
	"fmt"
	"strings"
	"testing"

	"aclgate/policy"
)

// twenty is a file with twenty faults, each in a line that ends with its number and a word of its
// message.
const twenty = `accounts:
  - {id: 1, name: a}
  - {id: 010}                     # 1 id
  - {id: 1}                       # 2 appears above
  - {id: 3, parent: 99}           # 3 parent
  - {id: 4, parent: 5}            # 4 ancestor
  - {id: 5, parent: 4}            # 5 ancestor
  - {id: 6, parent: 1, nane: b}   # 6 nane
tokens:
  - {id: 1, key_sha256: DIGEST, cid: 1, expire: 9, access: {type: master}}
  - {id: 2, key_sha256: DIGEST, cid: 1, expire: 9, access: {type: master}} # 7 line 10
  - {id: 1, key: otherkey, cid: 1, expire: 9, access: {type: master}} # 8 this id
  - {id: 3, key: third-key, cid: 42, expire: 9, access: {type: master}} # 9 no account
  - {id: 4, key: fourth-key, cid: 1, access: {type: master}} # 10 neither expire nor ttl
  - {id: 5, key: fifth-key, cid: 1, ttl: 30d, access: {type: master}} # 11 created
  - {id: 6, key: short, cid: 1, expire: 9, access: {type: master}} # 12 key of 8 to 256
  - {id: 7, cid: 1, expire: 9, access: {type: master}} # 13 missing key "key_sha256"
  - {id: 8, key: eighth-key, cid: 1, expire: 9, access: {type: root}} # 14 master
  - {id: 9, key: ninth-key, cid: 1, expire: 9, access: {type: master}, ips: 10.0.0.1/8} # 15 10.0.0.0/8
  - id: 10
    key: tenth-key
    cid: 1
    expiry: 9                     # 16 did you mean "expire"
    expire: 1999999999999         # 17 milliseconds
    access:
      type: acl
      acl:
        - uri: gw/devices
          methods: [GET, FETCH]   # 18 FETCH
          ids: [7, 08]            # 19 08
        - methods: [GET]          # 20 uri
rolls: []                         # 21 rolls
`

func TestTwentyFaultsAtOnce(t *testing.T) {
	text := strings.ReplaceAll(twenty, "DIGEST", digestOf(3))
	_, faults := ReadPolicy("p.yaml", []byte(text), catalogue(t), 4)
	byLine := map[int]string{}
	for _, f := range faults {
		if !f.Warning {
			byLine[f.Line] += f.Message
		}
	}
	found := 0
	for i, line := range strings.Split(text, "\n") {
		_, comment, _ := strings.Cut(line, "# ")
		_, want, ok := strings.Cut(comment, " ")
		if ok && !strings.Contains(byLine[i+1], want) {
			t.Errorf("line %d: got %q, want %q", i+1, byLine[i+1], want)
		} else if ok {
			found++
		}
	}
	if found < 20 || len(byLine) != found {
		t.Errorf("got %d faulty lines, %d as expected", len(byLine), found)
	}
}

func TestDeepAccounts(t *testing.T) {
	text := "accounts: [{id: 1}, {id: 2, parent: 1}, {id: 3, parent: 2}, {id: 4, parent: 9}, {id: 5, parent: 5}]\n"
	_, faults := ReadPolicy("p.yaml", []byte(text), nil, 2)
	for _, want := range []string{"accounts[2]: the account lies deeper", "accounts[3]: the parent 9 is not", "accounts[4]: the account is its own"} {
		if !strings.Contains(faults.Error(), want) {
			t.Errorf("got %v, want %q", faults, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	rows := []struct{ acl, want string }{
		{"{uri: gw/devices, methods: [GET]}", ""},
		{"{uri: gw, methods: [GET]}, {uri: storage, methods: [GET, POST]}", ""},
		{"{uri: gw/device, methods: [GET]}", `:12:17: warning: tokens[1].access.acl[entry 1].uri: no route has the uri "gw/device", so the entry matches nothing: did you mean "gw/devices"?`},
		{"{uri: /gw/devices}", "did you mean \"gw/devices\"?"},
		{"{uri: platform, methods: [GET]}", "no entry opens /platform"},
		{"{uri: platform/webhooks, methods: [GET]}", "no entry opens /platform"},
		{"{uri: gw/devices, submodules: [{name: mesages, methods: [GET]}]}", `the submodule "mesages", so it matches nothing: did you mean "messages"?`},
		{"{uri: gw/devices, submodules: [{name: cid, methods: [PUT]}]}", ""},
		{"{uri: gw/groups, methods: [GET], submodules: [{name: devices, methods: [PATCH]}]}", "no route of the submodule devices of gw/groups takes PATCH"},
		{"{uri: gw/channel-protocols, methods: [DELETE], submodules: []}", "no route of gw/channel-protocols takes DELETE"},
		{"{uri: gw/devices, methods: [PUT], ids: [1, 2]}, {uri: gw/devices, methods: [PUT], ids: [1, 2, 3]}", "acl[entry 2]: the entry is never chosen"},
		{"{uri: gw/devices, methods: [PUT]}, {uri: gw/devices, methods: [PUT], ids: [1]}", "acl[entry 1]: the entry is never chosen"},
		{"{uri: mqtt, topic: a/b, actions: [publish]}", ""},
		{"{uri: mqtt, topic: flespi/state/#, actions: [subscribe]}", ":12:30: warning: tokens[1].access.acl[entry 1].topic: the entry grants no topic: topics that begin with flespi/"},
		{"{uri: mqtt, topic: $SYS/#, actions: [subscribe]}", "the entry grants no topic: topics that begin with $ are closed"},
		{"{uri: mqtt, topic: a/#/b, actions: [subscribe]}", "the entry grants no topic: its topic is no topic filter"},
		{"{uri: mqtt, methods: [GET]}", "the entry grants no topic: it names none"},
		{"{uri: mqtt, topic: a, actions: [read]}", `"read" is no action: there are publish and subscribe`},
		{"{uri: gw/devices, ids: [7, 9], methods: []}", "acl[entry 1]: the entry has no methods, so it permits nothing: say which, such as methods: [GET]"},
		{"{uri: gw/devices, methods: [GET]}, {uri: gw/devices, ids: [1]}", ":12:46: warning: tokens[1].access.acl[entry 2]: the entry has no methods"},
		{"{uri: gw/devices, submodules: [{name: messages}]}", "the entry has no methods"},
		{"{uri: gw/devices, submodules: [{name: messages, methods: [GET]}]}", ""},
	}
	for _, row := range rows {
		text := head + "- {id: 1, key_sha256: " + digestOf(1) + ", cid: 1, expire: 9, access: {type: 1}}\n- id: 5\n  key_sha256: " +
			digestOf(7) + "\n  cid: 1\n  expire: 9\n  access:\n    type: acl\n    acl: [" + row.acl + "]\n"
		p, faults := ReadPolicy("p.yaml", []byte(text), catalogue(t), 4)
		if p == nil {
			t.Errorf("%s: refused: %v", row.acl, faults)
			continue
		}
		if got := faults.Error(); row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.acl, got, row.want)
		}
	}
}

func TestPlainKeyIsHashedAndWarnedAbout(t *testing.T) {
	p, faults := ReadPolicy("p.yaml", []byte(head+"- {id: 1, key: demo-master, cid: 1, expire: 9, access: {type: 1}}\n"), catalogue(t), 4)
	if p == nil || p.Find(DigestOf([]byte("demo-master"))) == nil {
		t.Fatalf("not found: %v", faults)
	}
	if len(faults) != 1 || faults[0].String() != "p.yaml:5:16: warning: "+fmt.Sprintf(plainKeyWarning, 0) {
		t.Errorf("got %v", faults)
	}
}

func TestManyWarningsCondemnNothing(t *testing.T) {
	b := []byte(head)
	for i := range 3000 {
		b = fmt.Appendf(b, "- {id: %d, key: demo-key-%d, cid: 1, expire: 9, access: {type: acl, acl: [{uri: gw/abacus}]}}\n", i+1, i)
	}
	p, faults := ReadPolicy("p.yaml", b, catalogue(t), 4)
	if p == nil || p.Len() != 3000 || len(faults) != maxWarnings+1 {
		t.Fatalf("got %d faults: %v", len(faults), faults)
	}
	if got, want := faults[maxWarnings].Message, "5900 more warnings are not shown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFlespiExportLoads(t *testing.T) {
	const text = `{"accounts":[{"id":1}],"tokens":[{"id":17,"key":"abcdefgh12345678","cid":1,"info":"x","enabled":true,"created":1700000000,
	"accessed":1700000001,"expire":0,"ttl":31536000,"ips":"","origins":[{"preset":"flespi"}],"metadata":{"a":[1,null]},"blocked":0,
	"access":{"type":2,"acl":[{"uri":"gw\/devices","methods":["GET","PUT"],"ids":[9007199254740993,2],"submodules":[{"name":"messages","methods":["GET"]}]},
	{"uri":"gw\/channels","methods":["POST"]},{"uri":"gw\/groups","methods":["GET"],"ids":"all"},{"uri":"mqtt","topic":"a\/#","actions":["publish"]}]}}]}`
	p, faults := ReadPolicy("p.json", []byte(strings.ReplaceAll(text, "\t", "")), catalogue(t), 4)
	if p == nil {
		t.Fatal(faults)
	}
	tok, es := deref(p)[0].Token, deref(p)[0].Entries
	if tok.Access != policy.ACLAccess || tok.TTL != 31536000 || tok.Sources != nil || tok.Origins == nil || len(tok.Origins) != 0 {
		t.Errorf("got %+v", tok)
	}
	if len(es) != 4 || string(es[0].IDs.Text()) != "2,9007199254740993" || es[1].Rule != policy.IDsAbsent || es[2].Rule != policy.IDsAll || es[3].URI != "mqtt" {
		t.Errorf("got %+v", es)
	}
	if len(faults) != 2 { // the plain key and the preset
		t.Errorf("got %v", faults)
	}
}

// A file with more faults than anybody reads says so, as a fault.
func TestTooManyFaults(t *testing.T) {
	text := head + strings.Repeat("- {id: 0}\n", maxFaults)
	p, faults := ReadPolicy("p.yaml", []byte(text), nil, 4)
	if p != nil || len(faults) != maxFaults+1 || !strings.Contains(faults.Error(), "too many faults") {
		t.Errorf("got %d faults, want %d and one that says that there are more", len(faults), maxFaults)
	}
}
