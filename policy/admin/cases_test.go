package admin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
)

// story is one file of testdata: a world, callers, and calls in turn. What is permitted is done.
type story struct {
	*world
	law   *admin.Law
	route *admin.Route
}

// TestStories runs testdata/*.txt; README.md beside them explains the lines.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s *story
		for i, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(line)
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
				continue
			case line == "world":
				s = &story{world: emptyWorld(100)}
				continue
			}
			asked, want, isCall := strings.Cut(line, " => ")
			if !isCall {
				s.define(line)
			} else if got := s.call(asked); got != want {
				t.Errorf("%s:%d: %s\ngot  %s\nwant %s", file, i+1, asked, got, want)
			}
		}
	}
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// body returns the JSON that a line ends with.
func body(line string) record.Value {
	if i := strings.IndexAny(line, "{["); i >= 0 {
		return mustParse(line[i:])
	}
	return record.NewObject()
}

// define reads a line that makes the world, or says who calls.
func (s *story) define(line string) {
	words := append(strings.Fields(line), "", "", "")
	if words[0] == "as" {
		s.as(words[1:])
		return
	}
	if words[0] == "item" {
		s.items[item{words[1], number(words[2])}] = number(words[4])
		return
	}
	id := number(words[1])
	doc := body(line).With("id", record.NewInt(id))
	switch words[0] {
	case "account":
		if words[2] == "under" {
			doc = doc.With("parent", record.NewInt(number(words[3])))
		}
		s.accounts[id] = doc
	case "token":
		s.tokens[id] = doc.With("cid", record.NewInt(number(words[3]))).With("created", record.NewInt(now-100))
	case "grant":
		s.grants[id] = doc.With("cid", record.NewInt(number(words[3])))
	case "limit":
		s.limits[id] = doc.With("cid", record.NewInt(number(words[3])))
	default:
		panic(line)
	}
}

// as chooses the caller: operator, or [guest] TOKEN, and for whom.
func (s *story) as(words []string) {
	var c admin.Caller
	if words[0] == "guest" {
		c.Guest, words = true, words[1:]
	}
	if words[0] == "operator" {
		c.Operator = true
	} else {
		c.Token = admin.TokenOf(s.tokens[number(words[0])])
		c.Scope = c.Token.CID
	}
	if words[1] == "for" {
		c.Scope = number(words[2])
	}
	s.law = s.world.law(c)
}

// call judges one call, does it, and returns what became of it.
func (s *story) call(line string) string {
	words := append(strings.Fields(line), "")
	for i := range admin.Routes() {
		if r := &admin.Routes()[i]; r.Path == "platform/"+words[1] || words[1] == "links" && r.Kind == record.Grants {
			s.route = r
		}
	}
	m := policy.ParseMethod([]byte(words[0]))
	if fault := s.law.NotBlocked(); fault != nil {
		return said(fault)
	}
	if fault := s.law.MayCall(s.route, m, false); fault != nil {
		return said(fault)
	}
	if words[1] == "links" {
		return s.link(m, number(words[2]), number(words[3]))
	}
	switch m {
	case policy.POST:
		return s.post(body(line))
	case policy.GET:
		return s.get(number(words[2]), words[3])
	case policy.DELETE:
		return s.drop(number(words[2]))
	}
	if s.route.Kind == record.Customer {
		return s.change(s.law.Caller.Scope, m, body(line))
	}
	return s.change(number(words[2]), m, body(line))
}

func said(f *record.Fault) string { return f.Class.String() + ": " + f.Reason() }

func (s *story) table() map[int64]record.Value {
	switch s.route.Kind {
	case record.Tokens, record.LegacyTokens:
		return s.tokens
	case record.Limits:
		return s.limits
	case record.Grants:
		return s.grants
	}
	return s.accounts
}

// link makes a grant one for an account, or ends that.
func (s *story) link(m policy.Method, grant, cid int64) string {
	fault := s.law.Unlink(s.grants[grant])
	if m == policy.POST {
		fault = s.law.Link(s.grants[grant], cid)
	}
	switch {
	case fault != nil:
		return said(fault)
	case s.links[grant] == nil:
		s.links[grant] = map[int64]bool{}
	}
	s.links[grant][cid] = m == policy.POST
	return "done"
}

func (s *story) post(asked record.Value) string {
	docs, fault := s.route.Kind.ReadNew(asked)
	if fault != nil {
		return said(fault)
	}
	var doc record.Value
	switch s.route.Kind {
	case record.Limits:
		doc, fault = s.law.NewLimit(docs[0])
	case record.Grants:
		doc, fault = s.law.NewGrant(docs[0])
	case record.Subaccounts:
		doc, fault = s.law.NewAccount(docs[0])
	default:
		doc, fault = s.law.NewToken(docs[0])
	}
	if fault != nil {
		return said(fault)
	}
	id := s.id()
	s.table()[id] = doc.With("id", record.NewInt(id))
	return fmt.Sprint("made ", id)
}

func (s *story) sees(id int64) bool {
	doc, found := s.table()[id]
	limit := admin.LimitOf(doc)
	switch s.route.Kind {
	case record.Tokens, record.LegacyTokens:
		return found && s.law.SeesToken(doc)
	case record.Limits:
		return found && s.law.SeesLimit(&limit)
	case record.Grants:
		return found && s.law.SeesGrant(doc)
	case record.Customer:
		return found && id == s.law.Caller.Scope
	}
	return found && s.law.SeesAccount(id)
}

func (s *story) get(id int64, names string) string {
	if !s.sees(id) {
		return said(record.DeniedRecord(s.route.Kind.Word, id))
	}
	fields, fault := s.route.Kind.ReadFields(names)
	if fault != nil {
		return said(fault)
	}
	return s.route.Kind.Choose(s.law.Row(s.route.Kind, s.table()[id]), fields).String()
}

func (s *story) change(id int64, m policy.Method, asked record.Value) string {
	before := s.table()[id]
	fields, fault := s.route.Kind.ReadChange(asked)
	if fault != nil {
		return said(fault)
	}
	join := s.route.Kind.Put
	if m == policy.PATCH {
		join = s.route.Kind.Patch
	}
	if !s.sees(id) {
		return said(record.DeniedRecord(s.route.Kind.Word, id))
	}
	after, fault := join(before, fields)
	if fault == nil {
		switch s.route.Kind {
		case record.Limits:
			fault = s.law.ChangeLimit(before, after)
		case record.Grants:
			fault = s.law.ChangeGrant(before, after)
		case record.Subaccounts:
			fault = s.law.ChangeAccount(before, fields, after)
		case record.Customer:
			_, fault = s.law.ChangeCustomer()
		default:
			fault = s.law.ChangeToken(before, after)
		}
	}
	if fault != nil {
		return said(fault)
	}
	s.table()[id] = after
	return "changed"
}

func (s *story) drop(id int64) string {
	var fault *record.Fault
	switch s.route.Kind {
	case record.Limits:
		fault = s.law.DeleteLimit(s.limits[id].With("id", record.NewInt(id)))
	case record.Grants:
		fault = s.law.DeleteGrant(s.grants[id].With("id", record.NewInt(id)))
	case record.Subaccounts:
		fault = s.law.DeleteAccount(id, false)
	default:
		fault = s.law.DeleteToken(s.tokens[id].With("id", record.NewInt(id)))
	}
	if fault != nil {
		return said(fault)
	}
	if delete(s.table(), id); s.route.Kind == record.Subaccounts {
		s.dropAccount(id)
	}
	return "deleted"
}
