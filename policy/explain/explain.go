package explain

import (
	"strings"

	"aclgate/policy"
)

// Ask is one request as it would arrive. Of Input, Request and Scope are found here. A nil Token is
// a key that no token has; a Source that is not valid was not given, and is not judged.
type Ask struct {
	Method string
	Target string // origin-form: /gw/devices/7
	policy.Input
	File string // name of the policy file, for places; "": only lines

	// Resolve asks the backend what an unresolved decision needs, and completes the input with it.
	// Nil: the report says what would have to be asked.
	Resolve func(*policy.Decision, *policy.Input)
	// Accounts asks the backend for the accounts of items of a collection that it judges itself; what it
	// does not show is left out. Nil, or an answer that is: nobody knows them.
	Accounts func(c *policy.Collection, ids []int64) map[int64]int64
	State    State // of a running gateway
}

// explainer takes one Ask through the steps of a request.
type explainer struct {
	*Report
	engine *policy.Engine
	ask    Ask

	req          policy.Request
	in           policy.Input
	dec          policy.Decision
	refused      bool // by the state of the gateway, not by the policy
	indexMissing bool // only an index could tell the rest, and there is none here
	verdict      policy.Verdict
	reason       policy.Reason
}

// Explain judges ask and explains the outcome. Nothing passed in is changed or kept.
func Explain(engine *policy.Engine, ask Ask) *Report {
	x := &explainer{Report: &Report{Method: clean(ask.Method)}, engine: engine, ask: ask, in: ask.Input}
	x.in.Request, x.in.Scope = &x.req, 0
	x.verdict, x.reason = x.judge()
	x.describe()
	return x.Report
}

// judge evaluates the request, unless its target is at fault or the gateway answers it without
// asking for a token.
func (x *explainer) judge() (policy.Verdict, policy.Reason) {
	if reason := x.read(); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	if x.ask.Method == "OPTIONS" || x.req.Route != nil && x.req.Route.Local == policy.LocalRegions {
		return policy.Allow, policy.OwnAnswer
	}
	x.evaluate()
	if reason := x.refusedNow(); reason != policy.NotJudged {
		return policy.Deny, reason
	}
	if x.indexMissing {
		return policy.Unresolved, policy.NotJudged
	}
	return x.dec.Verdict, x.dec.Reason
}

// read parses the target. The head's own rule for its bytes comes first, since the parser relies on
// it.
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
	if x.req.CID != 0 && x.in.AskedCID != 0 {
		x.Detail = "the account is named twice: by x-flespi-cid and by cid"
		return policy.BadQuery
	}
	x.in.AskedCID = max(x.in.AskedCID, x.req.CID)
	x.Target = clean(x.ask.Target)
	return policy.NotJudged
}

// evaluate has the engine judge the request. Where it would ask an index that is not here, the
// decision of the entries alone is kept, and indexMissing says that it is not the end.
func (x *explainer) evaluate() {
	x.anywhere()
	var absent absentIndex
	if x.in.Items == nil {
		x.in.Items = &absent
	}
	x.engine.Evaluate(&x.dec, &x.in)
	if x.dec.Verdict == policy.Unresolved && x.ask.Resolve != nil {
		x.ask.Resolve(&x.dec, &x.in)
		x.ask.Items = x.in.Items
		x.engine.Evaluate(&x.dec, &x.in)
	}
	if !absent.asked || x.dec.Verdict == policy.Deny && !leftNothing(x.dec.Reason) {
		return
	}
	// In header mode no index is asked but about groups. An index of accounts could only take items
	// away; one of groups could also give some.
	if x.in.Token != nil && x.in.Token.IsUser { // roles permit items of accounts, which have to be known
		x.indexMissing = x.dec.Verdict == policy.Unresolved || x.dec.Reason == policy.NothingLeft
		return
	}
	entries := *x.engine
	entries.Mode = policy.ModeHeader
	entries.Decide(&x.dec, &x.in)
	x.indexMissing = absent.members || x.dec.Verdict != policy.Deny || x.dec.Reason == policy.NothingLeft
}

// anywhere leaves out where the token may be used from, if no address was given.
func (x *explainer) anywhere() {
	if t := x.in.Token; t != nil && t.Sources != nil && !x.in.Source.IsValid() {
		anywhere := *t
		anywhere.Sources = nil
		x.in.Token = &anywhere
		x.note("The token may be used from some addresses only, and none was given here: that was not judged.")
	}
}

func leftNothing(r policy.Reason) bool {
	return r == policy.NothingLeft || r == policy.MatchRefused || r == policy.DeniedItems
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

func (a *absentIndex) Doubtful(*policy.Collection, int64) []int64 { return nil }

func (a *absentIndex) Members(*policy.Collection, []int64) []int64 {
	a.asked, a.members = true, true
	return nil
}

func (x *explainer) note(text string) { x.Notes = append(x.Notes, text) }
