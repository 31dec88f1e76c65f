package admin

import (
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/record"
)

// SeesToken reports whether a token is in scope: its account is.
func (l *Law) SeesToken(doc record.Value) bool { return l.InScope(record.NumberOf(doc, "cid")) }

// NewToken judges the token that a POST asks for and returns its document: with its account, who
// made it and whose user it carries. The id, the digest and the change record are the caller's.
func (l *Law) NewToken(asked record.Value) (record.Value, *record.Fault) {
	if l.Caller.Roles != nil {
		return record.Value{}, stronger("", rolesAlone)
	}
	doc, fault := l.withAccount(asked)
	if fault != nil {
		return record.Value{}, fault
	}
	for name, id := range map[string]int64{
		"created": l.Now, "created_by": l.Caller.Token.ID, "user_id": l.Caller.Token.UserID, "realm_id": l.Caller.Token.RealmID,
	} {
		if id != 0 {
			doc = doc.With(name, record.NewInt(id))
		}
	}
	after := TokenOf(doc)
	if !l.InScope(after.CID) {
		return record.Value{}, record.DeniedRecord("accounts", after.CID)
	}
	if fault := l.within(Token{}, after); fault != nil {
		return record.Value{}, fault
	}
	return doc, l.room("tokens", after.CID, 1)
}

// rolesAlone says why users with roles write no rights of tokens: what is left of a token's own access
// and several roles no entry can say.
const rolesAlone = "roles permit, and a token cannot say less than they do"

// harmless are the fields of a token that give no right to anybody.
var harmless = []string{"info", "metadata"}

// ChangeToken judges a change of a token. Taking a token out of use and its description need no
// more than to see it; whatever else is changed, the token is judged as a new one is. Of itself a
// token may change nothing else (SPEC 10.4): its own bounds are not its own to move.
func (l *Law) ChangeToken(before, after record.Value) *record.Fault {
	if !l.SeesToken(before) {
		return record.DeniedRecord("tokens", record.NumberOf(before, "id"))
	}
	was, is := TokenOf(before), TokenOf(after)
	rest, restAfter := before, after
	for _, name := range harmless {
		rest, restAfter = rest.Without(name), restAfter.Without(name)
	}
	if was.Enabled == is.Enabled || !is.Enabled {
		rest, restAfter = rest.Without("enabled"), restAfter.Without("enabled")
	}
	if !record.Tokens.Row(rest).Equal(record.Tokens.Row(restAfter)) { // writing what holds anyway changes nothing
		if fault := l.changesRights(&was, is); fault != nil {
			return fault
		}
	}
	return l.lastMaster(&was, &is)
}

// changesRights judges a change after which a token may be able to do more.
func (l *Law) changesRights(was *Token, is Token) *record.Fault {
	c := &l.Caller
	switch {
	case was.CID != is.CID || was.UserID != is.UserID || was.ID != is.ID:
		return &record.Fault{Class: record.BadField, Text: "account, user and id of a token never change"}
	case was.UserID != 0 && was.Access == policy.NoAPI && was.CreatedBy == 0:
		return stronger("", "a session is what its user may do: log out and in again")
	case c.Operator:
		return l.within(*was, is)
	case c.Roles != nil:
		return stronger("", rolesAlone)
	case was.ID == c.Token.ID:
		return stronger("", "of itself it may write info and metadata, disable itself and delete itself")
	case c.Token.UserID != 0 && is.UserID != c.Token.UserID:
		// Else a user would make a token lasting whose key they know: it would outlive them.
		return stronger("", "a user's token may change the rights only of tokens that carry the same user")
	}
	return l.within(*was, is)
}

// DeleteToken judges a deletion. Every master may end what is in its scope, itself too.
func (l *Law) DeleteToken(before record.Value) *record.Fault {
	if !l.SeesToken(before) {
		return record.DeniedRecord("tokens", record.NumberOf(before, "id"))
	}
	was := TokenOf(before)
	return l.lastMaster(&was, &Token{})
}

// lastMaster refuses to leave a root account without a master that can be used. The operator may:
// he can make another.
func (l *Law) lastMaster(was, is *Token) *record.Fault {
	account, found := l.World.Account(was.CID)
	switch {
	case l.Caller.Operator || !found || account.Parent != 0:
	case !was.Usable(l.Now) || is.Usable(l.Now):
	case l.World.OtherMaster(was.CID, was.ID, l.Now):
	default:
		return &record.Fault{Class: record.InTheWay, Text: "token " + strconv.FormatInt(was.ID, 10) +
			" is the last master of account " + strconv.FormatInt(was.CID, 10) + " that can be used"}
	}
	return nil
}

// CouldMake reports whether the caller could make this very token now: then, and only then, its key
// may be shown again (platform.keys: reveal). A role user, whose Token is no master, never can; a
// guest never is asked.
func (l *Law) CouldMake(doc record.Value) bool {
	t := TokenOf(doc)
	if l.Caller.Guest || !l.Caller.Operator && l.Caller.Token.Access != policy.Master || !l.InScope(t.CID) {
		return false
	}
	if !l.Caller.Operator && t.UserID != l.Caller.Token.UserID {
		return false
	}
	return l.within(Token{}, t) == nil
}

func stronger(path, text string) *record.Fault {
	return &record.Fault{Class: record.Stronger, Path: path, Text: text}
}

// within judges rules 3 to 6 of SPEC 10.4 on a token that is to be as is says. was is the token
// before; the zero one where it is new. What has not changed of its validity and its ids was judged
// when it was written.
func (l *Law) within(was, is Token) *record.Fault {
	if fault := l.validity(&was, &is); fault != nil {
		return fault
	}
	if fault := l.ids(was.Entries, is.Entries); fault != nil || l.Caller.Operator {
		return fault
	}
	c := &l.Caller.Token
	switch {
	case c.Sources != nil && is.Sources == nil:
		return stronger("ips", "expected addresses out of its own: "+record.SourcesText(c.Sources))
	case c.Sources != nil && !coversSources(c.Sources, is.Sources):
		return stronger("ips", "expected addresses out of its own: "+record.SourcesText(c.Sources))
	case c.Origins != nil && !coversOrigins(c.Origins, is.Origins):
		return stronger("origins", "expected origins out of its own")
	}
	if c.Expire == 0 || c.TTL != 0 || c.UserID != 0 {
		return nil
	}
	switch {
	case is.TTL != 0:
		return stronger("ttl", "expected none: its own expire would be outlived")
	case is.Expire > c.Expire:
		return stronger("expire", "expected at most its own, "+strconv.FormatInt(c.Expire, 10))
	}
	return nil
}

// validity judges how long a token may live: that it does not do so for ever, and within the
// operator's bounds, each for its own field.
func (l *Law) validity(was, is *Token) *record.Fault {
	s := &l.Settings
	switch {
	case is.Expire == 0 && is.TTL == 0:
		return &record.Fault{Class: record.BadField, Path: "expire", Text: "expected this or ttl: a token needs a limit in time", Hint: []string{"expire", "ttl"}}
	case s.MaxTTL > 0 && is.TTL > s.MaxTTL && is.TTL != was.TTL:
		return stronger("ttl", "expected at most "+strconv.FormatInt(s.MaxTTL, 10)+" (platform.max_ttl)")
	case s.MaxExpire > 0 && is.Expire > l.Now+s.MaxExpire && is.Expire != was.Expire:
		return stronger("expire", "expected at most "+strconv.FormatInt(l.Now+s.MaxExpire, 10)+" (platform.max_expire)")
	}
	return nil
}

// ids judges rule 4: ids in the entries lie in the scope. Those that the token had already for the
// same uri are not asked again, or a deleted item would keep its token from being narrowed.
func (l *Law) ids(was, is []policy.Entry) *record.Fault {
	for i := range is {
		e := &is[i]
		if e.Rule != policy.IDsList {
			continue
		}
		for _, id := range e.IDs.IDs() {
			if !had(was, e.URI, id) && !l.holds(e.URI, id) {
				return record.DeniedRecord(e.URI[strings.LastIndexByte(e.URI, '/')+1:], id)
			}
		}
	}
	return nil
}

func had(entries []policy.Entry, uri string, id int64) bool {
	for i := range entries {
		if e := &entries[i]; e.URI == uri && e.Rule == policy.IDsList && e.IDs.Has(id) {
			return true
		}
	}
	return false
}

// holds reports whether an item lies in the scope. Where no index is kept nobody knows, and the
// scope of the token bounds it anyway.
func (l *Law) holds(uri string, id int64) bool {
	cids, kept := l.World.Owners(uri, id)
	for _, cid := range cids {
		if l.InScope(cid) {
			return true
		}
	}
	return !kept
}
