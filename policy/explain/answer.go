package explain

import (
	"fmt"
	"strconv"
	"strings"

	"aclgate/policy"
)

// answer says what the client gets.
func (x *explainer) answer() Answer {
	if x.verdict == policy.Unresolved {
		return Answer{Says: "an answer that is known once this was asked"}
	}
	given := x.reason.AnswerTo(x.in.Token)
	a := Answer{Status: given.Status, Code: given.Code}
	switch {
	case given.Status == 0:
		a.Says = "the backend's answer"
		if denied := x.denied(); denied != "" {
			a.Code, a.Says = policy.CodeDenied, "the backend's answer, with code 6 (access denied) merged into it for "+denied
		}
	case x.reason == policy.OwnAnswer, x.reason == policy.ManagedRecord:
		a.Says = "200, answered by the gateway itself"
	case given.Class == policy.ClassEmpty:
		a.Says = `200 with an empty list: {"result":[]}`
	case given.Code == policy.CodeDenied:
		a.Says = fmt.Sprintf("%d, code 6: access denied to %s", given.Status, x.denied())
	case given.Code == policy.CodeNotPermitted:
		a.Says = fmt.Sprintf("%d, code 8: action is not permitted by ACL", given.Status)
	case given.Code == 401:
		a.Says = "401: invalid or expired token (the client is not told which)"
	default:
		a.Says = fmt.Sprintf("%d, code %d, with the reason in words", given.Status, given.Code)
	}
	return a
}

// denied names what the code-6 errors of the answer are about.
func (x *explainer) denied() string {
	switch x.reason {
	case policy.ForeignAccount, policy.BodyAccount:
		return fmt.Sprintf("accounts %d", x.account())
	case policy.BodyItem:
		return fmt.Sprintf("%s %d", x.req.Route.Collection.Type, x.dec.Element.ID)
	}
	var lists []string
	for i := range x.dec.Selectors {
		if ids := x.dec.Selectors[i].Denied; len(ids) > 0 {
			lists = append(lists, x.req.Selectors[i].Collection.Type+" "+shortIDs(ids))
		}
	}
	return strings.Join(lists, " and ")
}

// backend says what is forwarded; nil for nothing.
func (x *explainer) backend() *Backend {
	if x.verdict != policy.Narrow && x.verdict != policy.Allow || x.reason == policy.OwnAnswer || x.reason == policy.ManagedRecord {
		return nil
	}
	b := &Backend{Method: x.req.Method.String(), Target: string(policy.AppendTarget(nil, &x.req, &x.dec)), Key: "the gateway's"}
	public := x.reason == policy.PublicRoute
	switch {
	case public:
		b.Key = "nobody's"
	case x.engine.CallersKey:
		b.Key = "the caller's"
	}
	if x.engine.Mode.Header() && !public {
		b.CID, b.Parts = x.dec.Account(&x.in), x.parts()
	}
	return b
}

// parts returns the requests that one goes out as whose items have no common account.
func (x *explainer) parts() (parts []Part) {
	if !x.dec.Apart() {
		return nil
	}
	ids := x.dec.ByRoot(&x.in, x.dec.FanOutIDs(&x.req))
	for len(ids) > 0 {
		n, cid := x.dec.Under(&x.in, ids)
		parts = append(parts, Part{cid, ids[:n]})
		ids = ids[n:]
	}
	return parts
}

// open says what has to be asked before the request can be judged.
func (x *explainer) open() (questions []string) {
	if x.verdict != policy.Unresolved {
		return nil
	}
	for i := range x.dec.Selectors {
		s, p := &x.req.Selectors[i], &x.dec.Selectors[i]
		if p.Match {
			q := "the backend is asked which items match: " + x.resolving(s, string(policy.AppendMatch(nil, nil, s)), "id")
			if grants := x.limitsOf(i).grants; len(grants) > 0 {
				q += fmt.Sprintf("; of these, what entry %d is about is kept", grants[0].source().Number)
			}
			questions = append(questions, q)
		}
		if len(p.Unknown) > 0 {
			q := "the backend is asked which accounts they belong to: " + x.resolving(s, joinIDs(p.Unknown), "id,cid")
			if x.indexMissing && x.engine.Mode.Index() {
				q = fmt.Sprintf("%s which accounts %s of %s belong to", x.knows(), shortIDs(p.Unknown), s.Collection.URI)
			}
			questions = append(questions, q)
		}
		if r := x.groups(x.limitsOf(i)); x.indexMissing && r != nil {
			questions = append(questions, fmt.Sprintf("the index of the running gateway knows which %s are members of the groups of entry %d",
				s.Collection.Type, r.source().Number))
		}
		if x.accountsOpen(i) && len(p.Unknown) == 0 {
			questions = append(questions, fmt.Sprintf("%s which of these items of %s are in the branch of account %d: those are kept",
				x.knows(), s.Collection.URI, x.in.Scope))
		}
	}
	return questions
}

// indexed reports whether the index has a say about selector i.
func (x *explainer) indexed(i int) bool {
	s := &x.req.Selectors[i]
	return x.engine.Mode.Index() && s.ByID() && s.Collection.Scoped && !s.Collection.OpenTo(x.req.Method)
}

// accountsOpen reports whether selector i has items that the entries permit and whose accounts nobody
// knows here.
func (x *explainer) accountsOpen(i int) bool { return x.indexMissing && x.indexed(i) }

// knows says who knows the accounts of items that are not known here.
func (x *explainer) knows() string {
	switch x.engine.Owners {
	case policy.OwnersStore:
		return "the running gateway knows from the store"
	case policy.OwnersFile:
		return "the running gateway knows from the owners of the policy file"
	}
	return "the index of the running gateway knows"
}

// ifInScope says what decides about an item that the entries permit and whose account is open.
func (x *explainer) ifInScope() string {
	return fmt.Sprintf("; permitted if in the branch of account %d, which %s", x.in.Scope, x.knows())
}

// whyUnknown says who is asked about an item that is not known to be in the scope.
func (x *explainer) whyUnknown() string {
	if x.indexMissing && x.engine.Mode.Index() {
		return x.knows() + " which account it belongs to"
	}
	return "the index does not know it to be in the scope: the backend is asked before it is denied"
}

// resolving prints the request that resolves a selector, shortened.
func (x *explainer) resolving(s *policy.Selector, selector, fields string) string {
	text := "GET /" + s.Collection.URI + "/" + shorten(selector) + "?fields=" + fields
	if x.engine.Mode.Header() {
		text += " with x-flespi-cid: " + strconv.FormatInt(x.in.Scope, 10)
	}
	return text
}
