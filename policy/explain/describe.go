package explain

import (
	"encoding/hex"
	"fmt"
	"time"

	"aclgate/policy"
)

// openMeaning is what an unresolved verdict means.
const openMeaning = "it cannot be judged before something has been asked"

// describe writes down everything that was judged, in the order of the steps.
func (x *explainer) describe() {
	x.Verdict, x.Reason = x.verdict.String(), x.reason.String()
	x.Route = x.route()
	x.Token = x.token()
	x.Scope, x.Paths = x.scope(), x.paths()
	x.choices()
	if x.dec.Entry != nil {
		x.Entry = x.dec.Entry.Number
	}
	for i := range x.req.Selectors {
		x.Selectors = append(x.Selectors, x.selector(i))
	}
	x.Answer = x.answer()
	x.Backend = x.backend()
	x.Open = x.open()
	x.Meaning = x.reason.Meaning()
	if x.verdict == policy.Unresolved {
		x.Meaning = openMeaning
	}
	if x.Detail == "" {
		x.Detail = x.detail()
	}
	x.Hint = x.hint()
	x.notes()
}

// route describes how the path was read; nil for an unknown one.
func (x *explainer) route() *Route {
	r := x.req.Route
	if r == nil {
		return nil
	}
	c := r.Collection
	d := &Route{Shape: r.String(), Methods: words(x.req.Allow), Collection: c.URI, Module: c.Module, Type: c.Type}
	if r.Slot != policy.SlotItem {
		d.Submodule = c.Submodules[r.Slot]
	}
	d.Addresses = addresses(r, x.req.Method)
	return d
}

func words(set policy.MethodSet) (names []string) {
	for m := policy.GET; m <= policy.DELETE; m++ {
		if set.Has(m) {
			names = append(names, m.String())
		}
	}
	return names
}

// addresses says what of a collection a request is about.
func addresses(r *policy.Route, m policy.Method) string {
	switch {
	case r.Slot != policy.SlotItem:
		return "the submodule " + r.Collection.Submodules[r.Slot] + " of " + r.Collection.URI
	case r.Creates && m == policy.POST:
		return "the collection " + r.Collection.URI
	case r.Item:
		return "the item of " + r.Collection.URI
	}
	return r.Collection.URI
}

func (x *explainer) token() *Token {
	t := x.in.Token
	if t == nil {
		return nil
	}
	shown := t.ShownDigest()
	d := &Token{
		ID: t.ID, Digest: hex.EncodeToString(shown[:]), Info: clean(t.Info), Access: t.Access.String(), CID: t.CID,
		Account: x.accountName(t.CID), Place: x.place(t.Line), Validity: validity(t, x.ask.At),
	}
	if t.User != nil {
		d.User = t.User.String()
	}
	return d
}

// validity says until when a token may be used, or since when it may not.
func validity(t *policy.Token, now int64) string {
	if !t.Enabled {
		return "disabled"
	}
	end := t.Expire
	if t.TTL > 0 {
		end = max(end, max(t.Created, t.LastUsed())+t.TTL)
	}
	switch {
	case end <= 0:
		return "never valid: it has neither expire nor ttl"
	case now >= end:
		return "expired at " + moment(end)
	case t.TTL > 0 && end != t.Expire:
		return "valid until " + moment(end) + ", or longer when it is used before"
	}
	return "valid until " + moment(end)
}

// moment prints unix seconds for people, in UTC.
func moment(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04:05 UTC") }

// place names a line of the policy file.
func (x *explainer) place(line int) string {
	switch {
	case line <= 0:
		return ""
	case x.ask.File == "":
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", clean(x.ask.File), line)
}

// accountName names an account by id and name.
func (x *explainer) accountName(cid int64) string {
	a, found := x.in.Tree.Account(cid)
	switch {
	case cid == policy.AtRoots:
		return "none (nobody owns it)"
	case !found:
		return fmt.Sprintf("%d (not in the tree)", cid)
	case a.Name == "":
		return fmt.Sprint(cid)
	}
	return fmt.Sprintf("%d (%s)", cid, clean(a.Name))
}

func (x *explainer) scope() *Scope {
	cid := x.in.Scope
	if cid == 0 {
		return nil
	}
	s := &Scope{CID: cid, Account: x.accountName(cid), By: "the token's own account"}
	for _, a := range x.in.Tree.Accounts() {
		if x.in.Tree.Contains(cid, a.ID) {
			s.Accounts++
		}
	}
	switch {
	case x.in.CrossAccount():
		s.By = "outside the branch of the token's account " + x.accountName(x.in.Token.CID) + ", to which it has granted something"
	case x.req.CID != 0:
		s.By = "named by ?cid=, in the branch of the token's account " + x.accountName(x.in.Token.CID)
	case x.in.AskedCID != 0:
		s.By = "named by x-flespi-cid, in the branch of the token's account " + x.accountName(x.in.Token.CID)
	}
	return s
}

// detail says what the reason leaves open about this very request.
func (x *explainer) detail() string {
	switch x.reason {
	case policy.UnknownMethod:
		return fmt.Sprintf("the path takes %s", x.req.Allow)
	case policy.ForeignAccount, policy.BodyAccount:
		return x.foreign()
	case policy.BodyItem:
		return fmt.Sprintf("the body names the id %d", x.dec.Element.ID)
	case policy.TokenAddress:
		return "the address is " + x.ask.Source.String()
	case policy.TokenOrigin:
		return "the origin is " + clean(string(x.ask.Origin))
	case policy.BadQuery: // found when it was known who asks
		return x.req.Detail
	case policy.TooManyIDs:
		return fmt.Sprintf("policy.max_ids is %d", x.engine.MaxIDs)
	case policy.WriteTooWide:
		if x.dec.Reach == policy.Uncounted {
			return fmt.Sprintf("policy.max_write is %d, and only the backend knows how many items this reaches", x.engine.MaxWrite)
		}
		return fmt.Sprintf("policy.max_write is %d, and this reaches %d items", x.engine.MaxWrite, x.dec.Reach)
	}
	return ""
}

// account returns the account that the request, or its body, may not name.
func (x *explainer) account() int64 {
	if x.reason == policy.BodyAccount {
		return x.dec.Element.CID
	}
	return x.in.AskedCID
}

// foreign says of an account what the client is never told: whether it exists.
func (x *explainer) foreign() string {
	top := x.in.Token.CID
	if x.reason == policy.BodyAccount {
		top = x.in.Scope
	}
	if _, found := x.in.Tree.Account(top); !found {
		return fmt.Sprintf("the token's own account %d is not in the tree", top)
	}
	if _, found := x.in.Tree.Account(x.account()); !found {
		return fmt.Sprintf("there is no account %d", x.account())
	}
	return fmt.Sprintf("account %s is not in the branch of account %s", x.accountName(x.account()), x.accountName(top))
}

// notes adds what is true of the settings rather than of the request.
func (x *explainer) notes() {
	switch {
	case x.refused:
		x.note("The policy has no part in this: it is the state of the gateway at this moment.")
		return
	case x.in.Scope == 0:
		if x.verdict == policy.Deny {
			x.note("The first fault is the whole answer: nothing after it was judged.")
		}
		return
	case x.engine.Unenforced && x.in.Token.Access == policy.ACLAccess:
		x.note("policy.enforce is false: entries are not asked, the token is judged as a standard one.")
	}
	forwarded := x.verdict == policy.Narrow || x.verdict == policy.Allow
	if forwarded && x.dec.OnlyAccountScope && x.engine.Mode == policy.ModeHeader {
		x.note("Nothing but x-flespi-cid keeps this request in its scope, so the backend has to obey it: \"aclgate check --live\" looks.")
	}
	switch {
	case len(x.ask.Body) > 0 && x.verdict == policy.Unresolved:
		x.note("The body is judged only after that.")
	case forwarded && len(x.ask.Body) == 0 && x.req.Data != nil:
		x.note("The data of the query was not read: what it names would be judged, too.")
	case forwarded && len(x.ask.Body) == 0 && x.req.Route != nil && x.req.Method.Write():
		x.note("No body was given: the id and cid of one would be judged, too.")
	}
}
