package topic

import (
	"bytes"
	"slices"
	"strconv"

	"aclgate/policy"
)

// Subscription is what becomes of one filter of a SUBSCRIBE.
type Subscription struct {
	Printed []Printed // what the broker is asked for; empty: granted, and silent
	Denied  []int64   // ids named in a list that are not permitted, in the order asked
	Wide    bool      // what is printed matches more than is permitted: the deliveries alone keep it in
	Shared  bool
	// CID is the account that was asked for: that one alone, not its branch. 0: the whole scope.
	CID int64
}

// Printed is a filter as it goes to the broker.
type Printed struct {
	Filter string
	CID    int64 // user property of the SUBSCRIBE; 0: none
	// Overlaps tells that an earlier one of the same Subscription matches some of the same topics,
	// so that a broker may send two copies: the session shows the copy of the first that matches.
	Overlaps bool
}

// Granted reports whether a SUBSCRIBE that was judged so gets a granted code.
func Granted(r policy.Reason) bool {
	return r == policy.Permitted || r == policy.Narrowed || r == policy.NothingLeft
}

// Code returns the MQTT 5 reason code of a denied filter or publish.
func Code(r policy.Reason) byte {
	switch r {
	case policy.TopicSyntax:
		return 0x8f
	case policy.TooManyFilters:
		return 0x97
	}
	return 0x87
}

// Subscribe narrows one filter to what is permitted of it (SPEC 16.4.3) and writes that to s. cid is
// that of the SUBSCRIBE's user property, 0 without one; room is how many filters may still be
// printed. The reason is Permitted when the filter is printed as it came, Narrowed when it is not,
// NothingLeft when a wildcard is over nothing that is there, or why it is denied.
func (j *Judge) Subscribe(s *Subscription, filter []byte, cid int64, room int) policy.Reason {
	*s = Subscription{}
	p, rest, reason := cutPrefix(string(filter), j.permit.law.Dialect)
	if reason != policy.NotJudged {
		return reason
	}
	if p.cid != 0 && cid != 0 {
		return policy.TopicSyntax
	}
	cid = max(cid, p.cid)
	platform := len(rest) > len(platformLevel) && rest[:len(platformLevel)+1] == platformLevel+"/"
	asked, fault := parseFilter(rest, platform || j.permit.law.Dialect == Flespi, j.permit.law.MaxLevels)
	switch {
	case fault != "":
		return policy.TopicSyntax
	case !p.readable(j.permit):
		return policy.MatchUnreadable
	}
	if reason := j.enter(cid); reason != policy.NotJudged {
		return reason
	}
	s.Shared = p.share != ""
	if j.permit.law.Namespace != NoAccounts || j.permit.law.Engine.Mode.Index() {
		s.CID = cid // else there is one account, and it is this
	}
	n := j.newNarrowing(asked, room)
	n.alone, n.shared = s.CID, s.Shared
	n.run()
	s.Wide, s.Denied = n.wide, n.denied
	reason = n.conclude()
	if !Granted(reason) {
		s.Denied = nil
		return reason
	}
	return j.print(s, &p, n, reason)
}

// print puts the prefixes back on, and the account where the broker has to be told.
func (j *Judge) print(s *Subscription, p *prefix, n *narrowing, reason policy.Reason) policy.Reason {
	accounts, property, wide := j.accounts(s, len(n.out), n.room)
	s.Wide = s.Wide || wide && len(n.out) > 0
	if s.Wide && s.Shared {
		*s = Subscription{}
		return policy.ShareWide
	}
	if len(n.out)*len(accounts) > n.room {
		*s = Subscription{}
		return policy.TooManyFilters
	}
	path := ""
	if j.permit.law.Namespace == ByPath {
		ok := false
		if path, ok = j.path(s.CID); !ok {
			*s = Subscription{}
			return policy.ForeignAccount
		}
	}
	s.Printed = make([]Printed, 0, len(accounts)*len(n.out))
	for _, cid := range accounts {
		for i := range n.out {
			o := &n.out[i]
			text := o.text
			if o.from == fromOwn {
				text = path + text
			}
			s.Printed = append(s.Printed, Printed{p.print(text, cid), property, o.overlaps})
		}
	}
	return reason
}

// accounts returns the accounts that are printed into filters, one copy of each filter for each of
// them; 0 is none. property is the account that goes into the SUBSCRIBE instead. wide tells that
// the broker is not told of any, although the scope is not everything.
func (j *Judge) accounts(s *Subscription, filters, room int) (printed []int64, property int64, wide bool) {
	none, alone := []int64{0}, s.CID
	if j.permit.law.Namespace != ByCID || alone == 0 && j.Tree.Root(j.Scope) && j.soleRoot() {
		return none, 0, false
	}
	if j.United() && alone == 0 && !s.Shared {
		return none, 0, true // granted items are of any account
	}
	branch := []int64{alone}
	if alone == 0 {
		branch = branch[:0]
		for _, a := range j.Tree.Accounts() {
			if j.Tree.Contains(j.Scope, a.ID) {
				branch = append(branch, a.ID)
			}
			if len(branch) > room+1 {
				break // too many already
			}
		}
	}
	switch {
	case j.permit.law.Dialect == Flespi && len(branch)*filters <= room:
		return branch, 0, false
	case j.permit.law.Dialect == Plain && len(branch) == 1:
		return none, branch[0], false
	}
	return none, 0, true
}

// soleRoot reports whether the tree has one root: only then the scope of a root is everything.
func (j *Judge) soleRoot() bool {
	roots := 0
	for _, a := range j.Tree.Accounts() {
		if a.Parent == 0 {
			roots++
		}
	}
	return roots == 1
}

// Account returns the account of the last delivery that was permitted, as far as the index or the
// path says it: for a Subscription with a CID, where the broker names no account. 0: it is not known.
func (j *Judge) Account() int64 {
	if j.cid != 0 {
		return j.cid
	}
	if j.Items == nil || len(j.req.Selectors) == 0 || ownTopic(j.levels) {
		return 0
	}
	s := &j.req.Selectors[0]
	if s.Kind != policy.SelectIDs || !s.Collection.Scoped {
		return 0
	}
	cid, _ := j.Items.Account(s.Collection, s.IDs[0])
	return cid
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// has reports whether ids, which ascend, hold id.
func has(ids []int64, id int64) bool {
	_, found := slices.BinarySearch(ids, id)
	return found
}

// Matches reports whether a printed filter is about a message: its topic, and its account if both
// name one. It is for sessions, and of no weight for what is permitted.
func (l *Law) Matches(filter string, topic []byte, cid int64) bool {
	p, rest, reason := cutPrefix(filter, l.Dialect)
	if reason != policy.NotJudged || p.cid != 0 && cid != 0 && p.cid != cid {
		return false
	}
	f, fault := parseFilter(rest, l.Dialect == Flespi, l.MaxLevels)
	return fault == "" && f.matches(bytes.Split(topic, []byte{'/'}))
}
