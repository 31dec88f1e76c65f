package explain

import (
	"net/netip"
	"strings"

	"aclgate/policy"
)

// Ask is one request as it would arrive.
type Ask struct {
	Method string
	Target string        // origin-form: /gw/devices/7
	CID    int64         // of x-flespi-cid, 0: not sent
	Body   []policy.Keys // the judged keys of each element of the body; nil: no body, or not judged
	At     int64         // unix seconds
	Source netip.Addr    // of the client; the zero value: not known, and not judged
	Origin string        // of the page that asks, "": none

	Items    policy.Items     // the index; nil: not here
	Resolved *policy.Resolved // what the backend was asked already; nil: nothing
	File     string           // name of the policy file, for places; "": only lines
}

// explainer takes one Ask through the steps of a request.
type explainer struct {
	*Report
	engine *policy.Engine
	tree   *policy.Tree
	tok    *policy.Token
	ask    Ask

	req     policy.Request
	in      policy.Input
	dec     policy.Decision
	asked   bool // the engine was asked: dec is about this request
	blind   bool // only an index could tell the rest, and there is none here
	verdict policy.Verdict
	reason  policy.Reason
	account int64 // that was named in vain
	item    int64 // that the body named in vain
}

// Explain judges ask by a token's rights and explains the outcome. A nil tok is
// a caller whose key nobody knows. Nothing passed in is changed or kept.
func Explain(engine *policy.Engine, tree *policy.Tree, tok *policy.Token, ask Ask) *Report {
	x := &explainer{Report: &Report{Method: clean(ask.Method)}, engine: engine, tree: tree, tok: tok, ask: ask}
	x.verdict, x.reason = x.judge()
	x.describe()
	return x.Report
}

// judge takes the steps of a request in the order of faults of SPEC 2; the
// first that ends it is the whole answer.
func (x *explainer) judge() (policy.Verdict, policy.Reason) {
	if reason := x.read(); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	if x.preflight() {
		return policy.Allow, policy.OwnAnswer
	}
	for _, step := range []func() policy.Reason{x.authenticate, x.narrow} {
		if reason := step(); reason != policy.NotJudged {
			return policy.Deny, reason
		}
	}
	x.decide()
	switch {
	case x.blind:
		return policy.Unresolved, policy.NotJudged
	case x.dec.Verdict == policy.Deny || x.dec.Verdict == policy.Unresolved:
		return x.dec.Verdict, x.dec.Reason
	}
	if reason := x.body(); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	return x.dec.Verdict, x.dec.Reason
}

// read parses the target. The head's own rule for its bytes comes first, since
// the parser relies on it.
func (x *explainer) read() policy.Reason {
	path, _, hasQuery := strings.Cut(x.ask.Target, "?")
	x.Target = clean(path)
	if hasQuery {
		x.Target += "?…"
	}
	for i := range len(x.ask.Target) {
		if c := x.ask.Target[i]; c <= ' ' || c > '~' || c == '#' || c == '\\' {
			x.Detail = `the target holds a byte that has to be percent-encoded (a blank, # \, a control or anything beyond ASCII)`
			return policy.BadHead
		}
	}
	reason := x.req.Parse(x.engine, policy.ParseMethod([]byte(x.ask.Method)), []byte(x.ask.Target))
	if reason != policy.NotJudged {
		x.Detail = x.req.Detail
		if x.req.Arg != nil {
			x.Detail += ": '" + clean(string(x.req.Arg)) + "'"
		}
		return reason
	}
	if x.req.CID != 0 && x.ask.CID != 0 {
		x.Detail = "the account is named twice: by x-flespi-cid and by cid"
		return policy.BadQuery
	}
	x.Target = clean(x.ask.Target)
	return policy.NotJudged
}

// preflight reports whether the gateway answers without asking for a token.
func (x *explainer) preflight() bool {
	return x.ask.Method == "OPTIONS" || x.req.Route != nil && x.req.Route.Own == policy.OwnRegions
}

// authenticate judges the token. An address that nobody gave is not judged:
// the question then is not about it.
func (x *explainer) authenticate() policy.Reason {
	if x.tok == nil {
		return policy.TokenUnknown
	}
	t := *x.tok
	if t.Sources != nil && !x.ask.Source.IsValid() {
		t.Sources = nil
		x.note("The token may be used from some addresses only, and none was given here: that was not judged.")
	}
	if reason := t.Valid(x.ask.At, x.ask.Source, []byte(x.ask.Origin)); reason != policy.NotJudged {
		return reason
	}
	if t.Access == policy.NoAPI {
		return policy.TokenNoAPI
	}
	return policy.NotJudged
}

// narrow finds the scope.
func (x *explainer) narrow() policy.Reason {
	asked := max(x.ask.CID, x.req.CID)
	scope, reason := x.engine.Scope(x.tree, x.tok, asked)
	if reason != policy.NotJudged {
		x.account = asked
		return reason
	}
	x.in = policy.Input{Request: &x.req, Token: x.tok, Scope: scope, Resolved: x.ask.Resolved}
	return policy.NotJudged
}

// decide asks the engine. Where it would ask an index that is not here, the
// decision of the entries alone is kept, and blind says that it is not the end.
func (x *explainer) decide() {
	x.asked = true
	x.in.Scope.Items = x.ask.Items
	if x.ask.Items != nil {
		x.engine.Decide(&x.dec, &x.in)
		return
	}
	var absent absentIndex
	x.in.Scope.Items = &absent
	x.engine.Decide(&x.dec, &x.in)
	if !absent.asked || x.dec.Verdict == policy.Deny && !leftNothing(x.dec.Reason) {
		return
	}
	// In header mode no index is asked but about groups. An index of accounts
	// could only take items away; one of groups could also give some.
	entries := *x.engine
	entries.Mode = policy.ModeHeader
	entries.Decide(&x.dec, &x.in)
	x.blind = absent.members || x.dec.Verdict != policy.Deny || x.dec.Reason == policy.NothingLeft
}

func leftNothing(r policy.Reason) bool {
	return r == policy.NothingLeft || r == policy.DeniedItems
}

// absentIndex knows nothing and notes that it was asked.
type absentIndex struct{ asked, members bool }

func (a *absentIndex) Account(*policy.Collection, int64) (int64, bool) {
	a.asked = true
	return 0, false
}

func (a *absentIndex) Of(*policy.Collection, int64) []int64 {
	a.asked = true
	return nil
}

func (a *absentIndex) Members(*policy.Collection, []int64) []int64 {
	a.asked, a.members = true, true
	return nil
}

// body judges the keys of the body; the first faulty element decides.
func (x *explainer) body() policy.Reason {
	if x.req.Route == nil || !x.req.Method.Write() {
		return policy.NotJudged
	}
	for _, keys := range x.ask.Body {
		if reason := x.engine.JudgeElement(&x.dec, &x.in, keys); reason != policy.NotJudged {
			x.item, x.account = keys.ID, keys.CID
			return reason
		}
	}
	return policy.NotJudged
}

func (x *explainer) note(text string) { x.Notes = append(x.Notes, text) }
