package proxy

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
	"aclgate/proxy/body"
	"aclgate/proxy/head"
	"aclgate/proxy/quota"
)

// requestBody is the body of the request.
type requestBody struct {
	text       []byte // as it is forwarded
	upload     bool   // it streams instead
	uploaded   int64  // bytes of it that were sent on
	started    func() // called when an upload begins to be sent on; bound once
	maxUpload  int64
	conn       *head.Conn  // that an upload comes from
	targetCID  int64       // the account that it gives all its items; 0: none, -1: not one
	withoutCID int64       // objects of a creation that name no account
	adds       []quota.Add // items by the accounts that get them, element by element
	topic      []byte      // of the element that is judged, unescaped
	judged     bool        // it is here, and its keys were judged
	data       []byte      // of a GET: what is forwarded as ?data=
	asData     bool        // it was read into data, so the request asks for something else than its head said
}

func (b *requestBody) reset() {
	*b = requestBody{text: kept(b.text), data: kept(b.data), topic: kept(b.topic), adds: b.adds[:0], started: b.started}
}

// What the client reads when its body cannot be. Syntax errors have their own.
const (
	textTooLong = "the body is too large"
	textBodies  = "the gateway holds too many large bodies"
	textCoding  = "the body may not be encoded"
	textKey     = "id and cid are plain integers, topic is a string"
	textDataKey = "data may not name accounts or items: the path does"
	textData    = "the body of a GET is forwarded in the URL as data, and is too long for the backend's"
	textLength  = "send Content-Length"
	textPrivate = "a password is sent in the body"
)

// bodyReader reads and judges bodies.
type bodyReader struct {
	engine    *policy.Engine
	max       int64
	maxUpload int64
	maxURL    int
	budget    *budget
}

// read takes steps 10 and 11 of SPEC 2: size and coding by the head, then the text. It is read only
// now, from a caller who may send it.
func (r *bodyReader) read(c *call, ev *evaluation, b *requestBody) policy.Reason {
	req := ev.in.Request
	switch {
	case req.Method.Write() && c.head.Length == 0 && !c.head.HasLength && c.conn.Unframed():
		return bodyFailed(c, head.UnframedFault)
	case req.Data == nil && c.head.Length == 0:
		return r.none(c, ev, b)
	case req.Data != nil:
		return r.judge(c, ev, b, req.Data)
	case req.Method == policy.GET:
		return r.readData(c, ev, b)
	}
	b.upload = req.Route != nil && req.Route.Body == policy.BodyUpload && multipart(c.head.ContentType)
	limit := r.max
	if b.upload {
		limit = r.maxUpload
	}
	switch {
	case c.head.Length > limit:
		return c.refuse(policy.BodyTooLarge, textTooLong)
	case encoded(c):
		return c.refuse(policy.BodyCoding, textCoding)
	case b.upload: // its parts are not judged [G]
		return r.beginUpload(c, b, limit)
	}
	if reason := r.readText(c, ev, b, limit); reason != policy.NotJudged {
		return reason
	}
	return r.judge(c, ev, b, b.text)
}

// maxPrivate bounds the body of a login: a name of 256 bytes and a password of 1024, escaped.
const maxPrivate = 16 << 10

// readPrivate reads a body that holds a password. It is nowhere else: a URL stands in the logs of
// proxies.
func (r *bodyReader) readPrivate(c *call, ev *evaluation, b *requestBody) policy.Reason {
	switch {
	case ev.in.Request.Data != nil:
		return c.refuse(policy.BadQuery, textPrivate)
	case c.head.Length == 0 && !c.head.HasLength && c.conn.Unframed():
		return bodyFailed(c, head.UnframedFault)
	case c.head.Length > maxPrivate:
		return c.refuse(policy.BodyTooLarge, textTooLong)
	case encoded(c):
		return c.refuse(policy.BodyCoding, textCoding)
	}
	return r.readText(c, ev, b, maxPrivate)
}

// none judges a request without a body. PUT and PATCH of an item need one, so there its length is
// missing (SPEC 2, Head).
func (r *bodyReader) none(c *call, ev *evaluation, b *requestBody) policy.Reason {
	req := ev.in.Request
	changes := req.Method == policy.PUT || req.Method == policy.PATCH
	if changes && !c.head.HasLength && req.Route != nil && req.Route.Item && req.Route.Slot == policy.SlotItem {
		c.refusal.status = fasthttp.StatusLengthRequired
		return c.refuse(policy.BadHead, textLength)
	}
	return r.judge(c, ev, b, nil)
}

func encoded(c *call) bool {
	coding := c.head.ContentEncoding
	return coding != nil && !bytes.EqualFold(coding, []byte("identity"))
}

// readData reads the body of a GET as the data that it means: backends know parameters of a GET in
// their URL alone, and clients that send them as a body mean the same (SPEC 2, Head).
func (r *bodyReader) readData(c *call, ev *evaluation, b *requestBody) policy.Reason {
	limit := int64(r.maxURL)
	switch {
	case c.head.Length > limit:
		return c.refuse(policy.BadBody, textData)
	case encoded(c):
		return c.refuse(policy.BodyCoding, textCoding)
	}
	reason := r.readText(c, ev, b, limit)
	b.data, b.text = b.text, b.data[:0]
	if reason == policy.BodyTooLarge {
		return c.refuse(policy.BadBody, textData)
	}
	if reason != policy.NotJudged {
		return reason
	}
	req := ev.in.Request
	switch nothing, err := saysNothing(b.data); {
	case err != nil:
		return badJSON(c, err)
	case nothing:
		return policy.NotJudged
	}
	req.SetData(b.data)
	if len(policy.AppendQuery(nil, req)) > r.maxURL {
		return c.refuse(policy.BadBody, textData)
	}
	b.asData = true
	return r.judge(c, ev, b, req.Data)
}

// saysNothing reports whether the body of a GET is empty, null or {}.
func saysNothing(text []byte) (bool, error) {
	s := body.Get()
	defer body.Put(s)
	shape, err := s.Check(text)
	if err != nil || shape == body.Empty || shape == body.Null {
		return true, err
	}
	members := 0
	if shape == body.Object {
		_ = s.TopKeys(text, func([]byte) error { members++; return nil })
	}
	return shape == body.Object && members == 0, nil
}

// minPiece is the least room for the next bytes of an upload.
const minPiece = 4 << 10

// beginUpload reads the beginning of an upload: it takes a connection to the backend when that, or
// all of it, is here. Who trickles holds no connection that others wait for (SPEC 2, Body).
func (r *bodyReader) beginUpload(c *call, b *requestBody, limit int64) policy.Reason {
	b.conn, b.maxUpload = c.conn, limit
	c.conn.Upload()
	b.text = b.text[:0]
	for len(b.text) < maxKept {
		b.text = slices.Grow(b.text, min(minPiece, maxKept-len(b.text))) // who sends little holds little
		n, err := c.conn.ReadBody(b.text[len(b.text):min(cap(b.text), maxKept)])
		b.text = b.text[:len(b.text)+n]
		switch {
		case int64(len(b.text)) > limit:
			return c.refuse(policy.BodyTooLarge, textTooLong)
		case err == io.EOF:
			return policy.NotJudged
		case err != nil:
			return bodyFailed(c, err)
		}
	}
	return policy.NotJudged
}

// Read implements io.Reader: an upload streams from the client to the backend. It is counted,
// because nobody knows the length of a chunked one before its end.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.uploaded == 0 {
		b.started()
	}
	n, err := 0, error(nil)
	if rest := b.text[min(b.uploaded, int64(len(b.text))):]; len(rest) > 0 {
		n = copy(p, rest)
	} else {
		n, err = b.conn.ReadBody(p)
	}
	b.uploaded += int64(n)
	if b.uploaded > b.maxUpload {
		return 0, policy.BodyTooLarge
	}
	return n, err
}

// readText reads the whole body; a chunked one may turn out to be too large.
func (r *bodyReader) readText(c *call, ev *evaluation, b *requestBody, limit int64) policy.Reason {
	b.text = b.text[:0]
	for {
		full := len(b.text) == cap(b.text) && int64(len(b.text)) != c.head.Length
		if full && !r.grow(c, ev, b, limit) {
			return c.refuse(policy.Overloaded, textBodies)
		}
		n, err := c.conn.ReadBody(b.text[len(b.text):cap(b.text)])
		b.text = b.text[:len(b.text)+n]
		switch {
		case int64(len(b.text)) > limit:
			return c.refuse(policy.BodyTooLarge, textTooLong)
		case err == io.EOF:
			return policy.NotJudged
		case err != nil:
			return bodyFailed(c, err)
		}
	}
}

// grow makes room for more of the body: first for a small one, then twice as much each time, up to
// limit and one byte, which is how a chunked body shows that it is too long. It returns false when
// the gateway holds too much.
func (r *bodyReader) grow(c *call, ev *evaluation, b *requestBody, limit int64) bool {
	size := min(max(2*int64(cap(b.text)), maxKept), limit+1)
	if c.head.Length >= 0 {
		size = min(size, c.head.Length)
	}
	if size > maxKept && !r.budget.reserve(&c.memory, ev.holder(), size-c.memory.bytes) {
		return false
	}
	b.text = append(make([]byte, 0, size), b.text...)
	return true
}

// judge reads text strictly and judges its keys element by element; the first faulty element
// decides.
func (r *bodyReader) judge(c *call, ev *evaluation, b *requestBody, text []byte) policy.Reason {
	req := ev.in.Request
	if ev.dec.Reason == policy.ManagedRecord {
		return policy.NotJudged // whoever keeps the records judges what is written into them
	}
	b.judged, b.targetCID, b.withoutCID, b.adds = true, 0, 0, b.adds[:0]
	if len(text) == 0 && req.Data == nil && (req.Route == nil || req.Method == policy.GET) {
		return policy.NotJudged
	}
	s := body.Get()
	defer body.Put(s)
	shape, err := s.Check(text)
	switch {
	case err != nil:
		return badJSON(c, err)
	case req.Method == policy.GET:
		return r.judgeData(c, s, text)
	case req.Route == nil:
		return policy.NotJudged
	case req.Route.Moves() && shape != body.Object:
		return c.refuse(policy.BadBody, textMove)
	}
	if shape == body.Object || shape == body.Array {
		keys := keysOf(req.Route.Judged(req.Method), req.Route.Collection.Topics)
		err = s.Elements(text, keys, func(e *body.Element) error {
			if reason := r.judgeElement(c, ev, b, e, shape); reason != policy.NotJudged {
				return reason
			}
			return nil
		})
		if err != nil {
			return badJSON(c, err)
		}
	}
	return r.addCID(c, ev, b, s, shape, text)
}

// again judges a body that was judged before.
func (r *bodyReader) again(c *call, ev *evaluation, b *requestBody) policy.Reason {
	switch {
	case !b.judged:
		return policy.NotJudged
	case ev.in.Request.Data != nil:
		return r.judge(c, ev, b, ev.in.Request.Data)
	}
	return r.judge(c, ev, b, b.text)
}

// badJSON returns the reason for a body that cannot be read, or the one that an element gave.
func badJSON(c *call, err error) policy.Reason {
	var syntax *body.SyntaxError
	if errors.As(err, &syntax) {
		c.refusal.offset = syntax.Offset
		return c.refuse(policy.BadBody, syntax.Reason)
	}
	return reasonIn(err)
}

// judgeData judges the data of a GET: it may filter, but not select past the path (SPEC 2, Query).
func (r *bodyReader) judgeData(c *call, s *body.Scanner, text []byte) policy.Reason {
	err := s.TopKeys(text, func(key []byte) error {
		if r.engine.Catalogue.NamesItems(key) {
			return policy.BadQuery
		}
		return nil
	})
	if err != nil {
		return c.refuse(policy.BadQuery, textDataKey)
	}
	return policy.NotJudged
}

// judgeElement judges one object of the body.
func (r *bodyReader) judgeElement(c *call, ev *evaluation, b *requestBody, e *body.Element, shape body.Kind) policy.Reason {
	route := ev.in.Request.Route
	if route.Collection.Topics {
		if reason := judgeTopic(c, b, e.Values[valueTopic]); reason != policy.NotJudged {
			return reason
		}
	}
	if route.Moves() && (e.Members != 1 || !e.Values[valueCID].Present()) {
		return c.refuse(policy.BadBody, textMove)
	}
	judged := route.Judged(ev.in.Request.Method)
	id, okID := keyOfElement(e, valueID, judged.ID)
	cid, okCID := keyOfElement(e, valueCID, judged.CID)
	if !okID || !okCID {
		return c.refuse(policy.BadBody, textKey)
	}
	reason := r.engine.JudgeElement(&ev.dec, &ev.in, policy.Keys{ID: id, CID: cid})
	switch reason {
	case policy.NotJudged:
		b.noteCID(ev, cid, shape)
	case policy.BadBody:
		c.refusal.public = "an id is not taken on creation"
	case policy.BodyOwner:
		c.refusal.public = "a body does not say whose an item is: send PUT /" + route.Collection.URI + "/{ids}/cid"
	}
	return reason
}

// judgeTopic refuses topics over which the vendor takes REST calls.
func judgeTopic(c *call, b *requestBody, topic body.Value) policy.Reason {
	if !topic.Present() {
		return policy.NotJudged
	}
	if topic.Kind != body.String {
		return c.refuse(policy.BadBody, textKey)
	}
	b.topic = topic.AppendString(b.topic[:0])
	if policy.ClosedTopicName(b.topic) {
		return policy.ClosedTopic
	}
	return policy.NotJudged
}

// addCID gives the objects of a creation the scope's account where the backend would not: the one
// change that a body ever sees (SPEC 4.4, ids).
func (r *bodyReader) addCID(c *call, ev *evaluation, b *requestBody, s *body.Scanner, shape body.Kind, text []byte) policy.Reason {
	req := ev.in.Request
	if r.engine.Mode != policy.ModeIDs || r.engine.Owners != policy.OwnersBackend || req.Method != policy.POST || !req.Route.Creates || !req.Route.Collection.Scoped {
		return policy.NotJudged
	}
	if shape != body.Object && shape != body.Array {
		return c.refuse(policy.BadBody, "a creation needs an object, or an array of objects")
	}
	// A list of empty objects that get an account each grows to nine times what was sent.
	size := int64(len(text)) + b.withoutCID*int64(len(`,"cid":`)+digits(ev.in.Scope))
	if size > max(c.memory.bytes, maxKept) && !r.budget.reserve(&c.memory, ev.holder(), size-c.memory.bytes) {
		return c.refuse(policy.Overloaded, textBodies)
	}
	with := s.AppendWithCID(make([]byte, 0, size), text, ev.in.Scope)
	if req.Data == nil {
		b.text = with
		return policy.NotJudged
	}
	for i := range req.Query {
		if req.Query[i].Name == "data" {
			req.Query[i].Value = with
		}
	}
	return policy.NotJudged
}
