package record_test

import (
	"strings"
	"testing"

	"aclgate/policy/record"
)

const storedToken = `{"id":17,"key_sha256":"6ca1","cid":11,"created":5,"ttl":60,"ips":["10.0.0.0/8","10.1.*"],"access":{"type":"2","acl":[{"uri":"storage","methods":["GET"]}]},` +
	`"metadata":{"a":{"b":1},"c":[1,"x"]},"secret":"s"}`

// TestRows: what fields give of a row.
func TestRows(t *testing.T) {
	stored := parse(t, strings.Replace(storedToken, `"2"`, `2`, 1))
	account := parse(t, `{"id":12,"name":"x","parent":11,"limit_id":3}`)
	for _, row := range []struct {
		kind         *record.Kind
		doc          record.Value
		fields, want string
	}{
		{record.Tokens, stored, "", `{"access":{"acl":[{"methods":["GET"],"uri":"storage"}],"type":2},"cid":11,"created":5,"enabled":true,"expire":0,"id":17,"info":"","ips":"10.0.0.0/8,10.1.*","ttl":60}`},
		{record.Tokens, stored, "key", `{"key":null}`},
		{record.Tokens, stored, "id,access.type", `{"access":{"type":2},"id":17}`},
		{record.Tokens, stored, "access.type,access.acl", `{"access":{"acl":[{"methods":["GET"],"uri":"storage"}],"type":2}}`},
		{record.Tokens, stored, "metadata.a.b,metadata.zz", `{"metadata":{"a":{"b":1}}}`},
		{record.Tokens, stored, "metadata.c.x", `{}`},
		{record.Tokens, stored, "origins,user_id", `{"origins":"*","user_id":null}`},
		{record.Tokens, stored, "key_sha256", `fields: key_sha256: there is no such field`},
		{record.Tokens, stored, "Id", `fields: Id: this is spelled id`},
		{record.Tokens, stored, "id,", `fields: : there is no such field`},
		{record.Tokens, stored, "access.x", `fields: there is no field access.x`},
		{record.Tokens, stored, "ttl.x", `fields: there is no field ttl.x`},
		{record.Tokens, stored, "acl", `fields: acl: there is no such field`},
		{record.LegacyTokens, stored, "key,acl", `{"acl":[{"methods":["GET"],"uri":"storage"}],"key":null}`},
		{record.LegacyTokens, parse(t, `{"id":1,"access":{"type":1}}`), "acl,access", `{"access":{"type":1},"acl":[]}`},
		{record.Subaccounts, account, "", `{"cid":11,"id":12,"limit_id":3,"name":"x"}`},
		{record.Subaccounts, parse(t, `{"id":1,"name":"r"}`), "", `{"cid":0,"id":1,"limit_id":null,"name":"r"}`},
		{record.Users, parse(t, `{"id":1,"name":"r","password":"p"}`), "password", `fields: password: there is no such field`},
		{record.Limits, parse(t, `{"id":1,"api_calls":5}`), "api_calls,tokens_count", `{"api_calls":5,"tokens_count":-1}`},
	} {
		got := ""
		if fields, fault := row.kind.ReadFields(row.fields); fault != nil {
			got = fault.Reason()
		} else {
			got = row.kind.Choose(row.kind.Row(row.doc), fields).String()
		}
		if got != row.want {
			t.Errorf("fields=%s:\ngot  %s\nwant %s", row.fields, got, row.want)
		}
	}
}

// TestNoSecretInRows: whatever a stored document holds, only fields of the table are in its row.
func TestNoSecretInRows(t *testing.T) {
	for _, k := range record.Kinds() {
		row := k.Row(parse(t, `{"id":1,"key":"KEY","key_sha256":"KEY","password":"KEY","digest":"KEY","verifier":"KEY"}`))
		if strings.Contains(row.String(), "KEY") {
			t.Errorf("%s: %s", k.Path, row)
		}
	}
}

// TestMatches: a match is over what the row shows.
func TestMatches(t *testing.T) {
	stored := record.Tokens.Row(parse(t, storedToken)).With("accessed", record.NewInt(0))
	for match, want := range map[string]string{
		"id=17":                     "true",
		"id=1*":                     "true",
		"id=?7":                     "true",
		"id=018":                    "false",
		"id=17,cid=12":              "false",
		"cid=11,id==17":             "true",
		"enabled=true":              "true",
		"enabled=1":                 "false",
		"expire=0":                  "true",
		"info=*":                    "true",
		"info=?*":                   "false",
		"accessed=0":                "true",
		"user_id=null":              "true",
		"access.type=2":             "true",
		"access=*":                  "false",
		"metadata.a.b=1":            "true",
		"metadata.c=x":              "true",
		"metadata.zz=*":             "false",
		"origins=*":                 "true",
		"ips=10.0.0.0/8*":           "true",
		"key=null":                  "key: cannot be matched",
		"key_sha256=6*":             "key_sha256: there is no such field",
		"secret=s":                  "secret: there is no such field",
		"ID=17":                     "ID: this is spelled id",
		"id":                        "expected all, ids, or field=value with commas between",
		"id=":                       "expected all, ids, or field=value with commas between",
		"id=1=2":                    "expected all, ids, or field=value with commas between",
		"{id > 5}":                  "expressions are not evaluated here: name fields, as in name=x",
		strings.Repeat("id=17,", 3): "expected all, ids, or field=value with commas between",
	} {
		conditions, fault := record.Tokens.ReadMatch(match)
		got := record.NewBool(record.Match(stored, conditions)).Text
		if fault != nil {
			got = fault.Reason()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", match, got, want)
		}
	}
	if _, fault := record.Users.ReadMatch("password=x*"); fault == nil {
		t.Error("passwords can be matched")
	}
}
