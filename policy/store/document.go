package store

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"aclgate/config/strict"
	"aclgate/policy"
)

// AppendDoc appends a record as the JSON that a row of tokens holds: what a policy file takes for
// it, with every word that flespi writes as a number as that number. What it appends reads as the
// same record again. metadata is JSON that is kept as it is; nil: none.
func AppendDoc(b []byte, rec *Record, metadata []byte) []byte {
	t := &rec.Token
	b = fmt.Appendf(b, `{"id":%d,"key_sha256":"%s"`, t.ID, hex.EncodeToString(t.Digest[:]))
	if t.Info != "" {
		b = strict.AppendJSONText(append(b, `,"info":`...), t.Info)
	}
	b = fmt.Appendf(b, `,"cid":%d`, t.CID)
	for _, f := range []struct {
		key   string
		value int64
	}{
		{"expire", t.Expire}, {"ttl", t.TTL}, {"created", t.Created},
		{"created_by", rec.Made.By}, {"user_id", rec.Made.User}, {"realm_id", rec.Made.Realm},
	} {
		if f.value != 0 {
			b = fmt.Appendf(b, `,"%s":%d`, f.key, f.value)
		}
	}
	if !t.Enabled {
		b = append(b, `,"enabled":false`...)
	}
	if t.Sources != nil {
		var items []string
		for _, p := range t.Sources.Networks {
			items = append(items, p.String())
		}
		b = appendList(append(b, `,"ips":`...), append(items, t.Sources.Masks...))
	}
	if t.Origins != nil {
		b = appendList(append(b, `,"origins":`...), t.Origins)
	}
	b = fmt.Appendf(b, `,"access":{"type":%d`, t.Access.Number())
	for i := range rec.Entries {
		b = append(b, [...]string{`,"acl":[`, `,`}[min(i, 1)]...)
		b = appendEntryDoc(b, &rec.Entries[i])
	}
	if len(rec.Entries) > 0 {
		b = append(b, ']')
	}
	b = append(b, '}')
	if metadata != nil {
		b = append(append(b, `,"metadata":`...), metadata...)
	}
	return append(b, '}')
}

func appendList(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = strict.AppendJSONText(b, text)
	}
	return append(b, ']')
}

// appendEntryDoc appends one element of acl.
func appendEntryDoc(b []byte, e *policy.Entry) []byte {
	b = strict.AppendJSONText(append(b, `{"uri":`...), e.URI)
	b = appendMethodsDoc(append(b, `,"methods":`...), e.Methods)
	switch e.Rule {
	case policy.IDsList:
		b = append(b, `,"ids":[`...)
		for i, id := range e.IDs.IDs() {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, id, 10)
		}
		b = append(b, ']')
	case policy.IDsAll, policy.IDsInGroups:
		b = strict.AppendJSONText(append(b, `,"ids":`...), e.Rule.String())
	}
	if e.Topic != "" || e.Actions != 0 {
		b = strict.AppendJSONText(append(b, `,"topic":`...), e.Topic)
		var actions []string
		for _, a := range []policy.Actions{policy.Publish, policy.Subscribe} {
			if e.Actions&a != 0 {
				actions = append(actions, a.String())
			}
		}
		b = appendList(append(b, `,"actions":`...), actions)
	}
	if e.HasSubmodules {
		b = append(b, `,"submodules":[`...)
		for i, s := range e.Submodules {
			if i > 0 {
				b = append(b, ',')
			}
			b = strict.AppendJSONText(append(b, `{"name":`...), s.Name)
			b = append(appendMethodsDoc(append(b, `,"methods":`...), s.Methods), '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendMethodsDoc(b []byte, set policy.MethodSet) []byte {
	var names []string
	for _, name := range methodNames {
		if set&methodNamed(name) != 0 {
			names = append(names, name)
		}
	}
	return appendList(b, names)
}

// AppendAccountDoc appends an account as the JSON that a row of accounts holds.
func AppendAccountDoc(b []byte, a policy.Account) []byte {
	b = fmt.Appendf(b, `{"id":%d`, a.ID)
	if a.Name != "" {
		b = strict.AppendJSONText(append(b, `,"name":`...), a.Name)
	}
	if a.Parent != 0 {
		b = fmt.Appendf(b, `,"parent":%d`, a.Parent)
	}
	return append(b, '}')
}
