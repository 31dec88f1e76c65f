package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/cases"
	"aclgate/policy/explain"
)

// suiteReader reads one file of policy tests.
type suiteReader struct {
	suite  *cases.Suite
	tokens map[string]int64 // by the names that the file gives them; of a user the negative id
}

// readSuite reads a file of policy tests. now is the moment of the cases where the file names none.
func readSuite(file string, now time.Time) (*cases.Suite, strict.Faults) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, strict.Faults{{File: file, Message: err.Error()}}
	}
	root, report := strict.Parse(file, text)
	r := &suiteReader{suite: &cases.Suite{File: file, Name: file, Now: now.Unix()}, tokens: map[string]int64{}}
	m := root.Map("suite", "now", "tokens", "items", "cases", "matrix")
	strict.Into(&r.suite.Name, m.Get("suite"), strict.Word)
	strict.Into(&r.suite.Now, m.Get("now"), strict.Unix)
	for _, n := range m.Opt("tokens").List() {
		t := n.Map("name", "id", "user")
		var name string
		var id, user int64
		strict.Into(&name, t.Need("name"), strict.Word)
		if strict.Into(&user, t.Get("user"), strict.ID); user == 0 {
			strict.Into(&id, t.Need("id"), strict.ID)
		} else if t.Get("id") != nil {
			n.Fault("expected id, of a token, or user, not both")
		}
		r.tokens[name] = id - user
	}
	for _, n := range m.Opt("items").List() {
		r.readItems(n)
	}
	for _, n := range m.Opt("cases").List() {
		r.readCase(n)
	}
	for _, n := range m.Opt("matrix").List() {
		r.readMatrix(n)
	}
	return r.suite, report.Faults()
}

func (r *suiteReader) readItems(n *strict.Node) {
	m := n.Map("of", "ids", "cid", "groups")
	var item cases.Item
	var ids []int64
	strict.Into(&item.Collection, m.Need("of"), strict.Word)
	strict.Into(&ids, m.Need("ids"), strict.ListOf(strict.ID))
	strict.Into(&item.CID, m.Need("cid"), strict.ID)
	strict.Into(&item.Groups, m.Get("groups"), strict.ListOf(strict.ID))
	for _, item.ID = range ids {
		r.suite.Items = append(r.suite.Items, item)
	}
}

// token reads who asks: a name of the file's own, or the id of a token.
func (r *suiteReader) token(n *strict.Node) (name string, id int64) {
	strict.Into(&name, n, strict.Word)
	id, isID := strict.ParseID(name)
	if known, found := r.tokens[name]; found {
		return name, known
	}
	if !isID && name != "" {
		n.Fault("no token is called %q under tokens, and it is no id", name)
	}
	return "token " + name, id
}

func (r *suiteReader) readCase(n *strict.Node) {
	m := n.Map(append([]string{"name", "as", "request", "cid", "source", "origin", "body", "match", "expect"}, explain.Actions()...)...)
	c := cases.Case{Line: n.Pos().Line}
	strict.Into(&c.Name, m.Need("name"), strict.Word)
	c.As, c.Token = r.token(m.Need("as"))
	r.readAsk(&c, m)
	strict.Into(&c.CID, m.Get("cid"), strict.ID)
	strict.Into(&c.Source, m.Get("source"), strict.Parsed("an address", netip.ParseAddr))
	strict.Into(&c.Origin, m.Get("origin"), strict.Word)
	strict.Into(&c.Match, m.Get("match"), strict.ListOf(strict.ID))
	for _, b := range m.Opt("body").List() {
		keys := b.Map("id", "cid")
		var k policy.Keys
		strict.Into(&k.ID, keys.Get("id"), strict.ID)
		strict.Into(&k.CID, keys.Get("cid"), strict.ID)
		c.Body = append(c.Body, k)
	}
	c.Want = readWant(m.Need("expect"))
	r.suite.Cases = append(r.suite.Cases, c)
}

// readAsk reads what a case asks: a request, or an action on a topic.
func (r *suiteReader) readAsk(c *cases.Case, m *strict.Map) {
	for _, action := range explain.Actions() {
		n := m.Get(action)
		switch {
		case n == nil:
			continue
		case c.Action != "" || m.Get("request") != nil:
			n.Fault("a case is about one request, or one action on a topic")
		}
		c.Action = action
		strict.Into(&c.Topic, n, strict.Word)
		c.Request = action + " " + c.Topic
	}
	if c.Action == "" {
		strict.Into(&c.Request, m.Need("request"), readRequest)
	}
}

// readRequest reads a method and a path.
func readRequest(n *strict.Node) (string, bool) {
	text, ok := strict.Word(n)
	method, path, found := strings.Cut(text, " ")
	if ok && !(found && policy.ParseMethod([]byte(method)) != policy.NoMethod && strings.HasPrefix(path, "/")) {
		n.Expected("a method and a path such as GET /gw/devices/7")
		return "", false
	}
	return text, ok
}

// readWant reads what is expected: a verdict, or more.
func readWant(n *strict.Node) (w cases.Want) {
	verdict := strict.Enum("deny", "narrow", "allow", "unresolved")
	if n.Kind() == strict.Text {
		strict.Into(&w.Verdict, n, verdict)
		return w
	}
	m := n.Map("verdict", "reason", "status", "backend", "entry", "denied", "printed")
	strict.Into(&w.Verdict, m.Get("verdict"), verdict)
	strict.Into(&w.Reason, m.Get("reason"), strict.Enum(reasonWords()...))
	strict.Into(&w.Backend, m.Get("backend"), readRequest)
	strict.Into(&w.Denied, m.Get("denied"), strict.ListOf(strict.ID))
	strict.Into(&w.Printed, m.Get("printed"), strict.ListOf(strict.Word))
	var status, entry int64
	strict.Into(&status, m.Get("status"), strict.Int(200, 599))
	strict.Into(&entry, m.Get("entry"), strict.Int(1, 100000))
	w.Status, w.Entry = int(status), int(entry)
	return w
}

func reasonWords() (words []string) {
	for _, r := range policy.Reasons() {
		words = append(words, r.String())
	}
	return words
}

func (r *suiteReader) readMatrix(n *strict.Node) {
	m := n.Map("ids", "requests", "allow")
	x := cases.Matrix{Line: n.Pos().Line}
	strict.Into(&x.IDs, m.Need("ids"), strict.ListOf(strict.ID))
	strict.Into(&x.Requests, m.Need("requests"), strict.ListOf(readHole))
	for _, a := range m.Need("allow").List() {
		row := a.Map("token", "requests", "ids")
		var allow cases.Allow
		allow.As, allow.Token = r.token(row.Need("token"))
		strict.Into(&allow.Requests, row.Get("requests"), strict.ListOf(func(n *strict.Node) (string, bool) {
			return readKnown(n, x.Requests)
		}))
		ids := row.Need("ids")
		switch {
		case ids.Kind() != strict.Text:
			strict.Into(&allow.IDs, ids, strict.ListOf(strict.ID))
		default:
			var word string
			strict.Into(&word, ids, strict.Enum("all", "none"))
			allow.All = word == "all"
		}
		x.Allow = append(x.Allow, allow)
	}
	r.suite.Matrices = append(r.suite.Matrices, x)
}

// readHole reads a request with a place for an id in it.
func readHole(n *strict.Node) (string, bool) {
	text, ok := readRequest(n)
	if ok && !strings.Contains(text, "{id}") {
		n.Expected("a request with {id} in it, where the ids of the matrix go")
		return "", false
	}
	return text, ok
}

// readKnown reads one of the requests of a matrix: a typing error would allow nothing, and be seen
// but not understood.
func readKnown(n *strict.Node, known []string) (string, bool) {
	text, ok := strict.Word(n)
	for _, k := range known {
		if k == text {
			return text, ok
		}
	}
	if ok {
		n.Fault("this request is not among the requests of the matrix")
	}
	return "", false
}

func placed(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
