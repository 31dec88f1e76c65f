package proxy

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// Bodies that never change, in the vendor's bytes (SPEC 3, 5).
const (
	bodyUnauthorized = `{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}`
	bodyNotPermitted = `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`
	bodyEmpty        = `{"result":[]}`
)

// refusal is how a reason is answered.
type refusal struct {
	status int
	text   string // for the client, where the body is not one of the fixed ones
	retry  int    // seconds; 0: no Retry-After
}

// refusals says how each reason is answered. A reason that is missing here is a
// fault of ours and answered as one.
var refusals = map[policy.Reason]refusal{
	policy.BadHead:              {400, "the head of the request is malformed", 0},
	policy.BadTarget:            {400, "the path is malformed", 0},
	policy.BadQuery:             {400, "the query is malformed", 0},
	policy.BadSelector:          {400, "a selector is malformed", 0},
	policy.StoreStale:           {503, "tokens cannot be checked now", 1},
	policy.LimitToken:           {429, "too many requests of this token", 1},
	policy.LimitAccount:         {429, "too many requests of this account", 1},
	policy.LimitSource:          {429, "too many requests from this address", 1},
	policy.UnknownRoute:         {404, "unknown path", 0},
	policy.UnknownMethod:        {405, "this path does not take the method", 0},
	policy.TooManyIDs:           {400, "too many ids in one list", 0},
	policy.LinkedMatch:          {400, "name ids here: at this place a match speaks of links", 0},
	policy.ListTooLong:          {400, "", 0},
	policy.IndexStale:           {503, "the account of items is not known now", 1},
	policy.ScopeIgnored:         {503, "the backend does not obey x-flespi-cid", 5},
	policy.BodyTooLarge:         {413, textTooLong, 0},
	policy.BodyCoding:           {415, textCoding, 0},
	policy.BadBody:              {400, "the body is malformed", 0},
	policy.UpstreamBroken:       {502, "the backend cannot be reached or broke off", 0},
	policy.UpstreamRedirect:     {502, "the backend answered with a redirect", 0},
	policy.UpstreamUnauthorized: {502, "the backend refused the gateway", 0},
	policy.UpstreamSlow:         {504, "the backend did not answer in time", 0},
	policy.UpstreamBusy:         {503, "the backend is busy", 1},
	policy.Overloaded:           {503, "the gateway is busy", 1},
	policy.Internal:             {500, "internal error", 0},
}

// class sorts the reasons by the body that answers them.
type class uint8

const (
	classGateway      class = iota // code is the HTTP status
	classUnauthorized              // 401
	classNotPermitted              // 403, code 8
	classDenied                    // 403, code 6 for each denied item
	classAccount                   // 403, code 6 for an account
	classItem                      // 403, code 6 for an id in the body
	classEmpty                     // 200 {"result":[]}
	classAnswered                  // the answer is written already
	classGone                      // nobody is there
)

func classOf(r policy.Reason) class {
	switch r {
	case policy.OwnAnswer, policy.BackendRefused:
		return classAnswered
	case policy.TokenMissing, policy.TokenMalformed, policy.TokenUnknown, policy.TokenExpired,
		policy.TokenDisabled, policy.TokenAddress, policy.TokenOrigin:
		return classUnauthorized
	case policy.TokenNoAPI, policy.ClosedCredential, policy.ClosedKeys, policy.ClosedPlatform,
		policy.ClosedMQTT, policy.ClosedTopic, policy.ClosedScope, policy.NoEntry, policy.CreateLimited,
		policy.MatchUnreadable, policy.MatchDenied, policy.LinkNoEntry, policy.LinkMessages, policy.MoveNoEntry:
		return classNotPermitted
	case policy.DeniedItems:
		return classDenied
	case policy.ForeignAccount, policy.BodyAccount:
		return classAccount
	case policy.BodyItem:
		return classItem
	case policy.NothingLeft:
		return classEmpty
	case policy.ClientGone:
		return classGone
	}
	return classGateway
}

// refuse answers a request that ended before the backend was reached, or that
// the backend failed.
func (g *Gateway) refuse(c *call, r policy.Reason) {
	if r == policy.NotJudged {
		r = policy.Internal
	}
	kind := classOf(r)
	if kind == classGateway && g.hidesRoutes(c, r) {
		kind = classNotPermitted
	}
	c.rec.Verdict, c.rec.Reason = policy.Deny, r
	switch kind {
	case classAnswered:
		if r == policy.OwnAnswer {
			c.rec.Verdict = policy.Allow
		}
	case classUnauthorized:
		g.answer(c, 401, bodyUnauthorized)
	case classNotPermitted:
		g.answer(c, 403, bodyNotPermitted)
	case classEmpty:
		g.refuseEmpty(c)
	case classGone:
		// The answer has no reader; the connection ends with it.
		c.desk.own.Header.SetConnectionClose()
		g.answer(c, 499, "")
	case classGateway:
		g.refuseAsGateway(c, r)
	default:
		g.refuseItems(c, r, kind)
	}
}

// hidesRoutes reports whether an unknown route is answered as "not permitted":
// a token with an ACL does not learn which paths exist (SPEC 2, Route).
func (g *Gateway) hidesRoutes(c *call, r policy.Reason) bool {
	return (r == policy.UnknownRoute || r == policy.UnknownMethod) && c.tok != nil && c.tok.Access == policy.ACLAccess
}

// refuseAsGateway answers what is no policy: the code is the HTTP status, so
// that it can never be taken for one of the backend's [G].
func (g *Gateway) refuseAsGateway(c *call, r policy.Reason) {
	a, known := refusals[r]
	if !known {
		a = refusals[policy.Internal]
	}
	if c.head.Fault != nil {
		a.status, a.text = c.head.Fault.Status, c.head.Fault.Reason
	}
	if c.status != 0 {
		a.status = c.status
	}
	b := append(c.merge[:0], `{"errors":[{"code":`...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, `,"reason":"`...)
	b = g.appendText(b, c, r, a.text)
	b = append(b, `"}],"result":[]}`...)
	c.merge = b
	g.answerBytes(c, a.status, b)
	h := &c.desk.own.Header
	if retry := max(a.retry, c.retry); retry > 0 {
		h.Set("Retry-After", strconv.Itoa(retry))
	}
	if r == policy.UnknownMethod {
		h.SetBytesV("Allow", c.req.Allow.Append(nil))
	}
}

// appendText appends what the client reads: fixed text, and of its own request
// the piece that is wrong, escaped and cut.
func (g *Gateway) appendText(b []byte, c *call, r policy.Reason, text string) []byte {
	switch {
	case r == policy.ListTooLong:
		return g.appendTooLong(b, c)
	case r == policy.BadTarget || r == policy.BadQuery || r == policy.BadSelector:
		if c.req.Detail != "" {
			text = c.req.Detail
		}
	}
	if c.public != "" {
		text = c.public
	}
	b = appendJSONText(b, text)
	if c.public == "" && c.req.Arg != nil {
		b = append(b, `: '`...)
		b = appendClientText(b, c.req.Arg)
		b = append(b, '\'')
	}
	if c.offset > 0 {
		b = append(b, " at byte "...)
		b = strconv.AppendInt(b, int64(c.offset), 10)
	}
	return b
}

// appendTooLong says how many ids are permitted and what to do (SPEC 4.5).
func (g *Gateway) appendTooLong(b []byte, c *call) []byte {
	n := 0
	for i := range c.dec.Selectors {
		n = max(n, len(c.dec.Selectors[i].IDs))
	}
	b = append(b, "the path for "...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, " ids is "...)
	b = strconv.AppendInt(b, int64(len(c.target)), 10)
	b = append(b, " bytes long and the backend takes "...)
	b = strconv.AppendInt(b, int64(g.MaxURL), 10)
	return append(b, ": name fewer items"...)
}

// refuseEmpty answers where nothing is left to ask for: with an empty result,
// and the errors of denied items behind a page that is empty.
func (g *Gateway) refuseEmpty(c *call) {
	if c.rec.Denied == 0 {
		g.answer(c, fasthttp.StatusOK, bodyEmpty)
		return
	}
	b := appendDenied(append(c.merge[:0], `{"errors":[`...), c)
	c.merge = append(b, `],"result":[]}`...)
	g.answerBytes(c, fasthttp.StatusOK, c.merge)
}

// refuseItems answers with one code-6 error per denied thing.
func (g *Gateway) refuseItems(c *call, r policy.Reason, kind class) {
	b := append(c.merge[:0], `{"errors":[`...)
	switch kind {
	case classDenied:
		b = appendDenied(b, c)
	case classAccount:
		account := c.rec.Asked
		if r == policy.BodyAccount {
			account = c.dec.Element.CID
		}
		b = appendDeniedItem(b, "accounts", account)
	case classItem:
		b = appendDeniedItem(b, c.req.Route.Collection.Type, c.dec.Element.ID)
	}
	b = append(b, `],"result":[]}`...)
	c.merge = b
	g.answerBytes(c, fasthttp.StatusForbidden, b)
}

// appendDenied appends one error per denied id, in path order, then in the
// order asked, joined by commas.
func appendDenied(b []byte, c *call) []byte {
	first := true
	for i := range c.dec.Selectors {
		name := ""
		if col := c.req.Selectors[i].Collection; col != nil {
			name = col.Type
		}
		for _, id := range c.dec.Selectors[i].Denied {
			if !first {
				b = append(b, ',')
			}
			b, first = appendDeniedItem(b, name, id), false
		}
	}
	return b
}

// appendDeniedItem appends the vendor's error for one item. The path in it is
// the item's own type and id, whatever path it was asked by.
func appendDeniedItem(b []byte, kind string, id int64) []byte {
	b = append(b, `{"code":6,"id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"reason":"access denied to '\/`...)
	b = append(b, kind...)
	b = append(b, `\/`...)
	b = strconv.AppendInt(b, id, 10)
	return append(b, `'"}`...)
}
