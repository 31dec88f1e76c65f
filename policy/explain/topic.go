package explain

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/policy"
	"aclgate/policy/topic"
)

// The actions on topics (SPEC 16.4).
const (
	ActionSubscribe = "subscribe"
	ActionPublish   = "publish"
	ActionDeliver   = "deliver"
)

// Actions returns the actions on topics.
func Actions() []string { return []string{ActionSubscribe, ActionPublish, ActionDeliver} }

// TopicAsk is one action of a client on a topic, or the delivery of a message to it. Of Input,
// Request, Resolved and Scope are not read; AskedCID is that of the user property.
type TopicAsk struct {
	Action string
	Topic  string // or filter
	policy.Input
	File string // name of the policy file, for places; "": only lines
	// Blocked returns why the account of a token is blocked at this moment: the reason, and a text about
	// this very case, without a full stop. NotJudged: it is not. Nil: that is not judged.
	Blocked func(*policy.Token) (policy.Reason, string)
}

// TopicReport is a decision about a topic, explained. It is plain data and marshals to JSON; texts
// from clients are escaped already.
type TopicReport struct {
	Action   string   `json:"action"`
	Topic    string   `json:"topic"`
	Verdict  string   `json:"verdict"`
	Reason   string   `json:"reason"`
	Meaning  string   `json:"meaning"`
	Detail   string   `json:"detail,omitempty"`  // what exactly refuses it
	Code     int      `json:"code,omitempty"`    // MQTT 5 reason code of a denial
	Printed  []string `json:"printed,omitempty"` // what the broker is asked for; unresolved: at most
	Wide     bool     `json:"wide,omitempty"`
	Denied   []int64  `json:"denied,omitempty"`
	Readings []string `json:"readings,omitempty"` // the families that the topic meets, and their GETs
	Token    *Token   `json:"token,omitempty"`
	Scope    *Scope   `json:"scope,omitempty"`
	Entry    int      `json:"entry,omitempty"`
	Choices  []Choice `json:"choices,omitempty"`
	Open     []string `json:"open,omitempty"` // unresolved: what has to be asked first
	Notes    []string `json:"notes,omitempty"`
	Hint     string   `json:"hint"`
}

// roomForFilters is how many filters a session has room for when one is explained.
const roomForFilters = 1000

// choicesShown is how many families are explained entry by entry.
const choicesShown = 4

// Topic judges ask and explains the outcome. Nothing passed in is changed or kept.
func Topic(o topic.Options, ask TopicAsk) *TopicReport {
	x := &explainer{Report: &Report{}, engine: o.Engine, ask: Ask{Input: ask.Input, File: ask.File}, in: ask.Input}
	r := &TopicReport{Action: ask.Action, Topic: clean(ask.Topic)}
	x.in.Scope = 0
	reason := policy.TokenUnknown
	if x.in.Token != nil {
		x.anywhere()
		law := topic.New(o)
		reason = x.resolveTopic(law, o, &ask, r)
		r.Token, r.Scope = x.token(), x.scope()
		if r.Scope != nil && x.in.AskedCID != 0 {
			r.Scope.By = "named by cid, in the branch of the token's account " + x.accountName(x.in.Token.CID)
		}
		x.topicChoices(law, &ask, r)
	}
	if o.Engine.Unenforced && x.in.Token != nil && x.in.Token.Access == policy.ACLAccess {
		x.note("policy.enforce is false: entries are not asked, the token is judged as a standard one.")
	}
	r.Notes = x.Notes
	if x.indexMissing {
		r.Verdict, r.Reason, r.Meaning = policy.Unresolved.String(), policy.NotJudged.String(), openMeaning
		r.Open, r.Hint = []string{fmt.Sprintf("%s which items are in the branch of account %d: what is about those is permitted", x.knows(), x.in.Scope)}, hintLive
		return r
	}
	r.Verdict, r.Reason, r.Meaning, r.Hint = topic.Verdict(reason).String(), reason.String(), reason.Meaning(), reason.Hint()
	if topic.Verdict(reason) == policy.Deny && ask.Action != ActionDeliver {
		r.Code = int(topic.Code(reason))
	}
	return r
}

// resolveTopic judges ask. Where an index would be asked that is not here, it judges by the entries
// alone, and indexMissing says that this is not the end.
func (x *explainer) resolveTopic(law *topic.Law, o topic.Options, ask *TopicAsk, r *TopicReport) policy.Reason {
	if ask.Blocked != nil && o.Engine.Authenticate(&x.in) == policy.NotJudged {
		var reason policy.Reason
		if reason, r.Detail = ask.Blocked(x.in.Token); reason != policy.NotJudged {
			x.note("The policy has no part in this: it is the state of the gateway at this moment.")
			return reason
		}
	}
	var absent absentIndex
	if x.in.Items == nil {
		x.in.Items = &absent
	}
	reason := x.judgeTopic(law, ask, r)
	if !absent.asked || !o.Engine.Mode.Index() && !absent.members {
		return reason
	}
	entries := *o.Engine
	entries.Mode = policy.ModeHeader
	o.Engine = &entries
	alone := x.judgeTopic(topic.New(o), ask, r)
	x.indexMissing = absent.members || reason == policy.SenderOutside || topic.Verdict(alone) != policy.Deny
	return alone
}

// judgeTopic has a judge decide.
func (x *explainer) judgeTopic(law *topic.Law, ask *TopicAsk, r *TopicReport) policy.Reason {
	j := topic.NewJudge(law.Permit(x.in.Token))
	j.At, j.Source, j.Origin, j.Tree, j.Items, j.Grants, j.Blocks = x.in.At, x.in.Source, x.in.Origin, x.in.Tree, x.in.Items, x.in.Grants, x.in.Blocks
	var reason policy.Reason
	r.Printed = nil
	switch ask.Action {
	case ActionSubscribe:
		var s topic.Subscription
		reason = j.Subscribe(&s, []byte(ask.Topic), x.in.AskedCID, roomForFilters)
		r.Wide, r.Denied = s.Wide, s.Denied
		for _, p := range s.Printed {
			text := clean(p.Filter)
			if p.CID != 0 {
				text += fmt.Sprintf(" with cid %d", p.CID)
			}
			r.Printed = append(r.Printed, text)
		}
	case ActionPublish:
		reason = j.Publish([]byte(ask.Topic), x.in.AskedCID)
	default:
		reason = j.Deliver([]byte(ask.Topic), x.in.AskedCID)
	}
	r.Entry = j.Entry()
	x.in.Scope = j.Scope
	return reason
}

// topicChoices explains what the entries say of each family that the topic meets.
func (x *explainer) topicChoices(law *topic.Law, ask *TopicAsk, r *TopicReport) {
	own, readings := law.Readings(ask.Topic)
	if ask.Action == ActionPublish {
		readings = nil
	}
	var questions []question
	for _, f := range readings {
		if f.Collection == nil {
			r.Readings = append(r.Readings, f.Topics)
			continue
		}
		q := question{collection: f.Collection, slot: f.Slot, method: policy.GET}
		r.Readings = append(r.Readings, f.Topics+" as "+q.String())
		questions = append(questions, q)
		if f.Linked != nil {
			questions = append(questions, question{collection: f.Linked, slot: policy.SlotItem, method: policy.GET})
		}
	}
	if !x.acl() {
		return
	}
	if own {
		r.Choices = append(r.Choices, x.ownTopics(law, ask))
	}
	questions = distinct(questions)
	slices.SortStableFunc(questions, func(a, b question) int { return x.chosen(b) - x.chosen(a) })
	for i, q := range questions {
		if i == choicesShown {
			x.note(fmt.Sprintf("The filter asks for more GETs (%d): name less to see what the entries say of them.", len(questions)-i))
			break
		}
		r.Choices = append(r.Choices, x.choice(q))
		if c, asked := x.groupChoice(q); asked {
			r.Choices = append(r.Choices, c)
		}
	}
}

// chosen returns 1 if an entry permits what q asks, else 0.
func (x *explainer) chosen(q question) int {
	if x.in.Token.ACL.Choose(q.collection, q.slot, q.method) == nil {
		return 0
	}
	return 1
}

// ownTopics says of each mqtt entry what it has to do with an own topic.
func (x *explainer) ownTopics(law *topic.Law, ask *TopicAsk) Choice {
	action := policy.Subscribe
	if ask.Action == ActionPublish {
		action = policy.Publish
	}
	c := Choice{For: action.String() + " on own topics", Grants: true}
	for i := range x.in.Token.ACL.Entries() {
		e := &x.in.Token.ACL.Entries()[i]
		if e.URI != topic.EntryURI {
			continue
		}
		line := Entry{Number: e.Number, Place: x.place(e.Line), URI: e.URI, Covers: true}
		line.Says = strings.TrimSpace(e.URI + " " + e.Actions.String() + " " + clean(e.Topic))
		met, meets := law.Meet(ask.Topic, e.Topic)
		switch fault := topic.EntryFault(e.Topic); {
		case fault != "":
			line.Why = "grants nothing: " + fault
		case e.Actions&action == 0:
			line.Why = "does not permit to " + action.String()
		case !meets:
			line.Why = "its topic is another"
		default:
			line.Chosen, line.Why = true, "permits it"
			if clean(met) != clean(ask.Topic) {
				line.Why = "permits " + clean(met)
			}
			if c.Chosen == 0 {
				c.Chosen = e.Number
			}
		}
		c.Entries = append(c.Entries, line)
	}
	return c
}

// UsedEntries returns the numbers of the entries that had a part in the decision.
func (r *TopicReport) UsedEntries() (used []int) {
	for _, c := range r.Choices {
		for _, e := range c.Entries {
			if e.Chosen && !slices.Contains(used, e.Number) {
				used = append(used, e.Number)
			}
		}
	}
	return used
}
