package policy

// Verdict is what becomes of a request. The zero value denies.
type Verdict uint8

// The verdicts. Unresolved is not an end: the Decision names what has to be asked of the backend
// first, and Decide is called again with the answer.
const (
	Deny Verdict = iota
	Unresolved
	Narrow
	Allow
	verdictCount
)

var verdictNames = [verdictCount]string{"deny", "unresolved", "narrow", "allow"}

// String returns the word that metrics, audit and explain use.
func (v Verdict) String() string { return verdictNames[v] }

// Verdicts returns every verdict that a request can end in.
func Verdicts() []Verdict {
	return []Verdict{Deny, Narrow, Allow}
}

// Reason says why, from a closed set: the same word is metric label, audit field, explain output
// and test word. It is one byte, so that returning it as an error allocates nothing. The zero value
// is the reason of a request that was not judged; it denies.
type Reason uint8

// The reasons, in the order of faults of SPEC 2. What each means, and how it is answered, is in
// reasonTable.
const (
	NotJudged Reason = iota

	Permitted
	Narrowed
	OpenRoute
	PublicRoute
	OwnAnswer
	ManagedRecord
	Unenforced
	MasterRoute

	BadHead
	Loop
	BadTarget
	BadQuery
	BadSelector

	TokenMissing
	TokenMalformed
	TokenUnknown
	TokenExpired
	TokenDisabled
	TokenAddress
	TokenOrigin
	TokenNoAPI
	StoreStale
	LoginFailed
	LoginBusy
	LoginLimited

	AccountBlocked
	AccountLimit
	LimitToken
	LimitAccount
	LimitSource

	ManyAccounts
	ForeignAccount

	UnknownRoute
	UnknownMethod

	ClosedCredential
	ClosedKeys
	ClosedPlatform
	ClosedMQTT
	ClosedTopic
	ClosedScope
	NoGrant
	NoEntry
	CreateLimited
	OwnersFixed
	FieldHidden
	MatchUnreadable
	MatchDenied
	LinkNoEntry
	LinkMessages

	TooManyIDs
	WriteTooWide
	MatchTooWide
	LinkedMatch
	MixedAccounts
	ListTooLong
	IndexStale
	ScopeIgnored
	ScopeUnchecked
	DeniedItems
	NothingLeft
	MatchRefused

	RecordsFixed
	RecordChanged
	CountLimit
	BodyTooLarge
	BodyCoding
	BadBody
	BodyOwner
	BodyAccount
	BodyItem
	MoveNoEntry
	BadField
	Stronger
	InTheWay
	StoreAway

	TopicSyntax
	TopicRest
	TopicClosed
	NoTopicEntry
	WillDenied
	ResponseTopic
	ShareWide
	TooManyFilters
	SenderOutside
	BadPacket
	Revoked
	RightsChanged

	BackendRefused
	OwnerUnrecorded
	UpstreamBroken
	UpstreamRedirect
	UpstreamUnauthorized
	UpstreamSlow
	UpstreamBusy
	Overloaded
	ClientGone
	Internal
	reasonCount
)

// String returns the word of the reason.
func (r Reason) String() string { return r.row().word }

// Error makes a Reason usable as an error.
func (r Reason) Error() string { return r.row().word }

// Meaning returns what the reason means: it finishes the sentence "because …".
func (r Reason) Meaning() string { return r.row().meaning }

// Hint returns a sentence that says what to do about it.
func (r Reason) Hint() string { return r.row().hint }

// Answer returns how the reason is answered.
func (r Reason) Answer() Answer { return r.row().answer }

// AnswerTo returns how the reason is answered to a token, nil for an unknown one. One with an ACL
// does not learn which paths exist (SPEC 2, Route).
func (r Reason) AnswerTo(t *Token) Answer {
	if (r == UnknownRoute || r == UnknownMethod) && t != nil && t.Access == ACLAccess {
		return notPermitted
	}
	return r.row().answer
}

func (r Reason) row() *reasonRow {
	if r >= reasonCount {
		r = NotJudged
	}
	return &reasonTable[r]
}

// Reasons returns the whole closed set, for whoever resolves labels at start or documents the
// words.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
