package record_test

import (
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

func parse(t *testing.T, text string) record.Value {
	t.Helper()
	v, err := record.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// TestPosts: what a POST becomes, or which fault it has.
func TestPosts(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, row := range []struct {
		kind       *record.Kind
		body, want string // the document, or the reason
	}{
		{record.Tokens, `{"access":{"type":1},"ttl":60}`, `{"access":{"type":1},"ttl":60}`},
		{record.Tokens, `{"access":{"type":"acl"},"expire":5}`, `{"access":{"acl":[],"type":2},"expire":5}`},
		{record.Tokens, `{"access":{"acl":[],"type":0}}`, `{"access":{"type":0}}`},
		{record.Tokens, `{"ips":" 10.0.0.0/8, 10.1.2.3 ","access":{"type":1}}`, `{"access":{"type":1},"ips":"10.0.0.0/8,10.1.2.3"}`},
		{record.Tokens, `{"ips":["10.1.2.3"],"access":{"type":1}}`, `{"access":{"type":1},"ips":"10.1.2.3"}`},
		{record.Tokens, `{"ips":[],"access":{"type":1}}`, `ips: expected addresses; any is ""`},
		{record.Tokens, `{"ips":"10.0.0.1/8","access":{"type":1}}`, `ips: expected addresses, networks such as 10.0.0.0/8 or masks such as 10.0.*, with commas between`},
		{record.Tokens, `{"access":{"type":1,"acl":[{"uri":"gw"}]}}`, `access.acl: expected no entries: only type 2 asks them`},
		{record.Tokens, `{"access":{"type":2,"acl":[{"uri":"gw","ids":null}]}}`, `access.acl[0].ids: expected a list of ids, "all" or "in-groups"`},
		{record.Tokens, `{"access":{"type":2,"acl":[{"uri":"gw","ids":[1,"2"]}]}}`, `access.acl[0].ids[1]: expected an id`},
		{record.Tokens, `{"access":{"type":2,"acl":[{"uri":"gw","methods":["get"]}]}}`, `access.acl[0].methods[0]: expected one of GET, POST, PUT, PATCH, DELETE`},
		{record.Tokens, `{"access":{"type":2,"acl":[{"uri":"gw","Methods":["GET"]}]}}`, `access.acl[0].Methods: this is spelled methods`},
		{record.Tokens, `{"access":{"type":2,"acl":[{"methods":["GET"]}]}}`, `access.acl[0].uri: is missing`},
		{record.Tokens, `{"access":{}}`, `access.type: is missing`},
		{record.Tokens, `{"access":{"type":4}}`, `access.type: expected 0 (standard), 1 (master), 2 (acl) or 3 (noapi)`},
		{record.Tokens, `{"access":{"type":true}}`, `access.type: expected 0 (standard), 1 (master), 2 (acl) or 3 (noapi)`},
		{record.Tokens, `{"access":{"type":1},"key":"x"}`, `key: is read-only`},
		{record.Tokens, `{"access":{"type":1},"key_sha256":"x"}`, `key_sha256: there is no such field`},
		{record.Tokens, `{"access":{"type":1},"id":5}`, `id: is read-only`},
		{record.Tokens, `{"access":{"type":1},"user_id":5}`, `user_id: is read-only`},
		{record.Tokens, `{"access":{"type":1},"Expire":5}`, `Expire: this is spelled expire`},
		{record.Tokens, `{"access":{"type":1},"expire":1.5}`, `expire: expected a whole number from 0 to 253402300799`},
		{record.Tokens, `{"access":{"type":1},"expire":1700000000000}`, `expire: expected a whole number from 0 to 253402300799`},
		{record.Tokens, `{"access":{"type":1},"enabled":1}`, `enabled: expected true or false`},
		{record.Tokens, `{"access":{"type":1},"info":"` + long + `"}`, `info: expected a string of at most 256 bytes without control characters`},
		{record.Tokens, `{"access":{"type":1},"info":"a\u001bb"}`, `info: expected a string of at most 256 bytes without control characters`},
		{record.Tokens, `{"access":{"type":1},"metadata":{"a":"` + strings.Repeat("y", 16384) + `"}}`, `metadata: expected an object of at most 16384 bytes`},
		{record.Tokens, `{"access":{"type":1},"metadata":[]}`, `metadata: expected an object of at most 16384 bytes`},
		{record.Tokens, `{"access":{"type":1},"origins":[]}`, `origins: expected "*" or a list of origins such as https://app.example.com`},
		{record.Tokens, `{"expire":5}`, `access: is missing`},
		{record.Tokens, `{"acl":[],"ttl":5}`, `acl: there is no such field`},
		{record.Tokens, `[{"access":{"type":1}},{"access":{"type":1},"x":1}]`, `[1].x: there is no such field`},
		{record.Tokens, `[]`, `expected an object, or a list of at most 1000 of them`},
		{record.Tokens, `[1]`, `[0]: expected an object`},
		{record.Tokens, `7`, `expected an object, or a list of at most 1000 of them`},
		{record.LegacyTokens, `{"acl":[],"ttl":5}`, `access: is missing`},
		{record.LegacyTokens, `{"ttl":5}`, `access: is missing`},
		{record.LegacyTokens, `{"acl":[{"uri":"storage","methods":["GET"]}],"ttl":5}`, `{"access":{"acl":[{"methods":["GET"],"uri":"storage"}],"type":2},"ttl":5}`},
		{record.LegacyTokens, `{"acl":[{"uri":"storage"}],"access":{"type":1}}`, `acl: expected what access says, or only one of both`},
		{record.LegacyTokens, `{"acl":[],"access":{"type":1}}`, `{"access":{"type":1}}`},
		{record.Subaccounts, `{"name":"x","limit_id":null}`, `{"name":"x"}`},
		{record.Subaccounts, `{"name":"x","cid":3}`, `cid: is read-only`},
		{record.Subaccounts, `{"name":"x","parent":3}`, `parent: there is no such field`},
		{record.Subaccounts, `{"name":" "}`, `name: expected a string of 1 to 256 bytes without control characters`},
		{record.Subaccounts, `{"name":"x","blocked":0}`, `blocked: is read-only`},
		{record.Limits, `{"api_calls":-1,"tokens_count":0}`, `{"api_calls":-1,"tokens_count":0}`},
		{record.Limits, `{"tokens_count":-2}`, `tokens_count: expected a whole number from -1 to 9223372036854775807`},
		{record.Limits, `{"cid":2}`, `cid: is read-only`},
	} {
		docs, fault := row.kind.ReadNew(parse(t, row.body))
		got := ""
		if fault != nil {
			got = fault.Reason()
			if fault.Class != record.BadField {
				t.Errorf("%s: %s", row.body, fault.Class)
			}
		} else {
			got = docs[0].String()
		}
		if got != row.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", row.kind.Path, row.body, got, row.want)
		}
	}
}

// TestChanges: what PUT and PATCH make of a document.
func TestChanges(t *testing.T) {
	token := `{"access":{"acl":[{"ids":[1],"uri":"gw/devices"}],"type":2},"cid":11,"id":17,"key_sha256":"d","metadata":{"a":{"b":1,"c":2},"d":3},"ttl":60}`
	master := `{"access":{"type":1},"id":17}`
	for _, row := range []struct {
		kind               *record.Kind
		patch              bool
		before, body, want string
	}{
		{record.Tokens, false, token, `{"metadata":{"x":1}}`, strings.Replace(token, `{"a":{"b":1,"c":2},"d":3}`, `{"x":1}`, 1)},
		{record.Tokens, true, token, `{"metadata":{"a":{"c":null,"e":5}}}`, strings.Replace(token, `{"b":1,"c":2}`, `{"b":1,"e":5}`, 1)},
		{record.Tokens, true, token, `{"access":{"acl":[]}}`, strings.Replace(token, `[{"ids":[1],"uri":"gw/devices"}]`, `[]`, 1)},
		{record.Tokens, true, token, `{"access":{"type":1}}`, `access.acl: expected no entries: only type 2 asks them`},
		{record.Tokens, false, token, `{"access":{"type":1}}`, strings.Replace(token, `{"acl":[{"ids":[1],"uri":"gw/devices"}],"type":2}`, `{"type":1}`, 1)},
		{record.Tokens, false, token, `{"cid":12}`, `cid: never changes`},
		{record.Tokens, true, token, `{"id":18}`, `id: is read-only`},
		{record.Tokens, true, token, `{"key_sha256":"e"}`, `key_sha256: there is no such field`},
		{record.Tokens, false, token, `{}`, `expected a field to change`},
		{record.Tokens, false, token, `[{"ttl":5},{"ttl":6}]`, `expected an object with the fields to change`},
		{record.Tokens, false, token, `{"ttl":null}`, `ttl: expected a whole number from 0 to 3162240000`},
		{record.Tokens, false, token, `{"acl":[]}`, `acl: there is no such field`},
		{record.LegacyTokens, false, token, `{"acl":[]}`, strings.Replace(token, `[{"ids":[1],"uri":"gw/devices"}]`, `[]`, 1)},
		{record.LegacyTokens, false, master, `{"acl":[]}`, master},
		{record.LegacyTokens, false, master, `{"acl":[{"uri":"gw"}]}`, `acl: expected access.type 2 beside entries`},
		{record.LegacyTokens, false, master, `{"acl":[{"uri":"gw"}],"access":{"type":2}}`, `{"access":{"acl":[{"uri":"gw"}],"type":2},"id":17}`},
		{record.Subaccounts, true, `{"id":5,"limit_id":7,"name":"x","parent":1}`, `{"limit_id":null}`, `{"id":5,"name":"x","parent":1}`},
		{record.Subaccounts, false, `{"id":5,"name":"x","parent":1}`, `{"cid":2}`, `cid: is read-only`},
		{record.Customer, false, `{"id":5,"limit_id":7,"name":"x","parent":1}`, `{"limit_id":8}`, `limit_id: there is no such field`},
		{record.Customer, false, `{"enabled":false,"id":5,"name":"x"}`, `{"enabled":true}`, `enabled: there is no such field`},
	} {
		got := change(row.kind, row.patch, parse(t, row.before), parse(t, row.body))
		if got != row.want {
			t.Errorf("%s:\ngot  %s\nwant %s", row.body, got, row.want)
		}
	}
}

func change(k *record.Kind, patch bool, before, body record.Value) string {
	fields, fault := k.ReadChange(body)
	var after record.Value
	switch {
	case fault != nil:
	case patch:
		after, fault = k.Patch(before, fields)
	default:
		after, fault = k.Put(before, fields)
	}
	if fault != nil {
		return fault.Reason()
	}
	return after.String()
}

// TestHints: a fault in a body names what is accepted there.
func TestHints(t *testing.T) {
	_, fault := record.Subaccounts.ReadNew(parse(t, `{"name":"x","cid":1}`))
	want := `{"code":2,"reason":"cid: is read-only","schema_hint":["account_roles","consultancy_account_id","email","enabled","limit_id","metadata","name"]}`
	if got := string(fault.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(record.DeniedRecord("tokens", 17).Append(nil)); got != `{"code":6,"id":17,"reason":"access denied to '\/tokens\/17'"}` {
		t.Error(got)
	}
	if got := string(record.NotForThis().Append(nil)); got != `{"code":8,"reason":"action is not permitted by ACL"}` {
		t.Error(got)
	}
}

// TestStoreReadsWhatIsWritten: the store's own reader accepts every document of a token that a body
// becomes, and reads it as the law does.
func TestStoreReadsWhatIsWritten(t *testing.T) {
	for _, body := range []string{
		`{"access":{"type":1},"ttl":60}`, `{"access":{"type":0},"expire":1800000000,"enabled":false,"info":"é \" \\"}`,
		`{"access":{"type":3},"ttl":60,"ips":"10.0.0.0/8,10.1.*,::1,fe80::/10","origins":["https://a.example"]}`, `{"access":{"type":1},"ttl":60,"ips":"","origins":"*"}`,
		`{"access":{"type":2,"acl":[{"uri":"gw/devices","ids":[3,1,1],"methods":["GET"],"submodules":[{"name":"messages","methods":["GET"]},{"name":"settings"}]},` +
			`{"uri":"gw","ids":"all"},{"uri":"storage","ids":"in-groups","submodules":[]},{"uri":"mqtt","topic":"a/#","actions":["publish"]}]},"ttl":60,"metadata":{"a":[1.50]}}`,
	} {
		docs, fault := record.Tokens.ReadNew(parse(t, body))
		if fault != nil {
			t.Fatal(fault)
		}
		base := &store.Record{Token: policy.Token{ID: 5, CID: 11, Created: 1700000000, TTL: 1, Enabled: true, Access: policy.Master}}
		rec, err := store.Merge(base, docs[0].Append(nil))
		if err != nil {
			t.Errorf("%s: %v", docs[0], err)
			continue
		}
		kept := admin.TokenOf(parse(t, string(store.AppendDoc(nil, rec, nil))))
		asked := admin.TokenOf(docs[0].With("id", record.NewInt(5)).With("cid", record.NewInt(11)).With("created", record.NewInt(1700000000)))
		if asked.TTL == 0 {
			asked.TTL = 1 // of the base
		}
		if a, b := shape(kept), shape(asked); a != b {
			t.Errorf("%s\nis kept as %s\nand asked was %s", body, a, b)
		}
	}
}

func shape(t admin.Token) string {
	var b strings.Builder
	b.WriteString(t.Access.String() + " " + record.SourcesText(t.Sources) + " " + strings.Join(t.Origins, ","))
	for i := range t.Entries {
		b.Write(t.Entries[i].IDs.Text())
		b.WriteString(t.Entries[i].Topic + t.Entries[i].Actions.String())
		b.Write(t.Entries[i].AppendShape(nil))
	}
	b.WriteString(record.NewInt(t.Expire).Text + " " + record.NewInt(t.TTL).Text + record.NewBool(t.Enabled).Text + record.NewInt(t.CID).Text)
	return b.String()
}
