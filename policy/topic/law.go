package topic

import (
	"aclgate/policy"
)

// Dialect says what the broker understands beyond the standard.
type Dialect uint8

// The dialects of mqtt.dialect.
const (
	Plain  Dialect = iota
	Flespi         // comma lists in levels, $filter/…
)

// Namespace says how the broker keeps accounts apart (SPEC 16.4.6).
type Namespace uint8

// The namespaces of mqtt.namespace.
const (
	NoAccounts Namespace = iota // there is one account
	ByCID                       // the broker knows accounts: scopes and messages carry a cid
	ByPath                      // own topics live below the path of their account
)

// Options are what the settings say about topics.
type Options struct {
	Engine     *policy.Engine
	Dialect    Dialect
	Namespace  Namespace
	MaxFilters int // printed, of one session; 0: 1000
	MaxLevels  int // of a topic or filter; 0: MaxLevels

	Prefix string // ByPath: the first level of own topics at the broker
	Depth  int    // ByPath: levels of accounts, policy.max_depth
}

const defaultFilters = 1000

// Law is what the settings and the catalogue say about topics, compiled. It is immutable.
type Law struct {
	Options
	table *table
}

// New compiles the families for the catalogue of the engine.
func New(o Options) *Law {
	if o.MaxFilters <= 0 {
		o.MaxFilters = defaultFilters
	}
	if o.MaxLevels <= 0 {
		o.MaxLevels = MaxLevels
	}
	return &Law{Options: o, table: newTable(o.Engine.Catalogue)}
}

// EntryURI is the uri of the entries that are about own topics.
const EntryURI = "mqtt"

// EntryFault says why an entry with this topic grants nothing, "" if it grants something.
func EntryFault(text string) string {
	if text == "" {
		return "it names none"
	}
	f, fault := parseFilter(text, false, MaxLevels)
	switch {
	case fault != "":
		return "its topic is no topic filter: " + fault
	case f[0].is(platformLevel):
		return "topics that begin with flespi/ are governed by the entries for the items that they are about"
	case f[0].kind == words && system(f[0].words[0]):
		return "topics that begin with $ are closed to everybody"
	}
	return ""
}

// Permit is what a token may subscribe to and publish: its entries for own topics, compiled once per
// token and revision of the policy. Platform topics need no compiling: they are judged by the
// entries for items. It is immutable and shared.
type Permit struct {
	law   *Law
	token *policy.Token
	own   []grant

	groups bool // some rights come through the members of groups
}

// grant is an mqtt entry.
type grant struct {
	filter  Filter
	actions policy.Actions
	number  int // of the entry
}

// Permit compiles what a token may do. The token must not change.
func (l *Law) Permit(t *policy.Token) *Permit {
	p := &Permit{law: l, token: t}
	groups := l.Engine.Catalogue.WithRole(policy.RoleGroups)
	for _, e := range t.ACL.Entries() {
		p.groups = p.groups || e.Rule == policy.IDsInGroups || groups != nil && e.Covers(groups)
		if e.URI != EntryURI || e.Actions == 0 || EntryFault(e.Topic) != "" {
			continue
		}
		f, fault := parseFilter(e.Topic, l.Dialect == Flespi, l.MaxLevels)
		if fault != "" {
			continue
		}
		p.own = append(p.own, grant{f, e.Actions, e.Number})
	}
	return p
}

// Moves reports whether what Judge.Subscribe prints depends on where items, the members of groups and
// accounts are, so that a session has to ask again when they are elsewhere.
func (p *Permit) Moves() bool {
	return p.law.Namespace != NoAccounts || p.law.Engine.Mode.Index() || p.groups
}

// Token returns the token that the permit is of.
func (p *Permit) Token() *policy.Token { return p.token }

// byEntries reports whether the entries of the token decide. policy.enforce: false makes a token
// with an ACL a standard one.
func (p *Permit) byEntries() bool {
	return p.token.Access == policy.ACLAccess && !p.law.Engine.Unenforced
}

// ownTopics judges an action on an own topic, without regard to accounts. Entries are grants: any
// of them will do, and they are not ranked [G].
func (p *Permit) ownTopics(action policy.Actions, levels [][]byte) (reason policy.Reason, entry int) {
	switch p.token.Access {
	case policy.Master, policy.Standard:
		return policy.Permitted, 0
	case policy.ACLAccess:
	default:
		return policy.TokenNoAPI, 0
	}
	if !p.byEntries() {
		return policy.Permitted, 0
	}
	for i := range p.own {
		if p.own[i].actions&action != 0 && p.own[i].filter.matches(levels) {
			return policy.Permitted, p.own[i].number
		}
	}
	return policy.NoTopicEntry, 0
}
