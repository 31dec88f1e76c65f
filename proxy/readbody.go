package proxy

import (
	"bytes"
	"errors"
	"io"

	"aclgate/policy"
	"aclgate/proxy/body"
	"aclgate/proxy/head"
)

// Where each judged key stands in body.Element.Values.
const (
	valueID = iota
	valueCID
	valueTopic
	valueCount
)

// keysOf returns the keys that are judged at a route. In the place of one that
// is not stands a name that no key can have, so that neither it nor its case
// variants mean anything there.
func keysOf(j policy.Judged, topic bool) body.Keys {
	const nobody = "\x00"
	keys := [valueCount]string{nobody, nobody, nobody}
	if j.ID {
		keys[valueID] = "id"
	}
	if j.CID {
		keys[valueCID] = "cid"
	}
	if topic {
		keys[valueTopic] = "topic"
	}
	return body.NewKeys(keys[:]...)
}

// judgedKeys holds every set of judged keys: [id][cid][topic].
var judgedKeys = func() (sets [2][2][2]body.Keys) {
	for i := range 8 {
		id, cid, topic := i&1, i>>1&1, i>>2
		sets[id][cid][topic] = keysOf(policy.Judged{ID: id == 1, CID: cid == 1}, topic == 1)
	}
	return sets
}()

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// What the client reads when its body cannot be. Syntax errors have their own.
const (
	textMove    = `the body is exactly {"cid":N}`
	textTooLong = "the body is too large"
	textBodies  = "the gateway holds too many large bodies"
	textCoding  = "the body may not be encoded"
	textKey     = "id and cid are plain integers, topic is a string"
	textDataKey = "data may not name accounts or items: the path does"
)

// body judges steps 10 and 11 of SPEC 2: size and coding by the head, then the
// text. It is read only now, from a caller who may send it.
func (g *Gateway) body(c *call) policy.Reason {
	if c.req.Data != nil {
		return g.judge(c, c.req.Data)
	}
	if c.head.Length == 0 {
		return g.judge(c, nil)
	}
	c.upload = c.req.Route != nil && c.req.Route.Body == policy.BodyUpload && multipart(c.head.ContentType)
	limit := g.MaxBody
	if c.upload {
		limit = g.MaxUpload
	}
	switch {
	case c.head.Length > limit:
		return c.refusal(policy.BodyTooLarge, textTooLong)
	case c.head.ContentEncoding != nil && !bytes.EqualFold(c.head.ContentEncoding, []byte("identity")):
		return c.refusal(policy.BodyCoding, textCoding)
	case c.upload:
		return policy.NotJudged // parts stream through and are not judged [G]
	}
	if reason := g.readText(c, limit); reason != policy.NotJudged {
		return reason
	}
	return g.judge(c, c.text)
}

// readText reads the whole body; a chunked one may turn out to be too large.
func (g *Gateway) readText(c *call, limit int64) policy.Reason {
	c.text = c.text[:0]
	for {
		full := len(c.text) == cap(c.text) && int64(len(c.text)) != c.head.Length
		if full && !g.grow(c, limit) {
			return c.refusal(policy.Overloaded, textBodies)
		}
		n, err := c.conn.ReadBody(c.text[len(c.text):cap(c.text)])
		c.text = c.text[:len(c.text)+n]
		switch {
		case int64(len(c.text)) > limit:
			return c.refusal(policy.BodyTooLarge, textTooLong)
		case err == io.EOF:
			return policy.NotJudged
		case err != nil:
			return g.bodyFailed(c, err)
		}
	}
}

// bodyFailed maps what went wrong while the body arrived: it was framed badly,
// it stalled, or its sender is gone.
func (g *Gateway) bodyFailed(c *call, err error) policy.Reason {
	var fault *head.Fault
	if errors.As(err, &fault) {
		c.status, c.public = fault.Status, fault.Reason
		return policy.BadBody
	}
	return policy.ClientGone
}

// judge reads text strictly and judges its keys element by element; the first
// faulty element decides.
func (g *Gateway) judge(c *call, text []byte) policy.Reason {
	if c.req.Route == nil && c.req.Data == nil && len(text) == 0 {
		return policy.NotJudged
	}
	s := body.Get()
	defer body.Put(s)
	shape, err := s.Check(text)
	if err != nil {
		return c.badJSON(err)
	}
	if c.method == policy.GET {
		return g.judgeData(c, s, text)
	}
	if c.req.Route == nil {
		return policy.NotJudged
	}
	if c.req.Route.Moves() && shape != body.Object {
		return c.refusal(policy.BadBody, textMove)
	}
	if reason := g.judgeElements(c, s, shape, text); reason != policy.NotJudged {
		return reason
	}
	return g.withAccount(c, s, shape, text)
}

// judgeElements judges the object, or each object of the array.
func (g *Gateway) judgeElements(c *call, s *body.Scanner, shape body.Kind, text []byte) policy.Reason {
	if shape != body.Object && shape != body.Array {
		return policy.NotJudged
	}
	j := c.req.Route.Judged(c.method)
	keys := judgedKeys[bit(j.ID)][bit(j.CID)][bit(c.topics())]
	err := s.Elements(text, keys, func(e *body.Element) error { return reasonError(g.judgeElement(c, e, shape)) })
	var reason policy.Reason
	switch {
	case err == nil:
		return policy.NotJudged
	case errors.As(err, &reason):
		return reason
	}
	return c.badJSON(err)
}

// topics reports whether the elements of the body may name MQTT topics.
func (c *call) topics() bool { return c.req.Route.Collection.Topics }

func reasonError(r policy.Reason) error {
	if r == policy.NotJudged {
		return nil
	}
	return r
}

func (c *call) badJSON(err error) policy.Reason {
	var syntax *body.SyntaxError
	if errors.As(err, &syntax) {
		c.offset = syntax.Offset
		return c.refusal(policy.BadBody, syntax.Reason)
	}
	return policy.Internal
}

// judgeData judges the data of a GET: it may filter, but not select past the
// path (SPEC 2, Query).
func (g *Gateway) judgeData(c *call, s *body.Scanner, text []byte) policy.Reason {
	err := s.TopKeys(text, func(key []byte) error {
		if g.engine.Catalogue.NamesItems(key) {
			return policy.BadQuery
		}
		return nil
	})
	if err != nil {
		return c.refusal(policy.BadQuery, textDataKey)
	}
	return policy.NotJudged
}

// judgeElement judges one object of the body.
func (g *Gateway) judgeElement(c *call, e *body.Element, shape body.Kind) policy.Reason {
	route := c.req.Route
	if c.topics() {
		if reason := c.judgeTopic(e); reason != policy.NotJudged {
			return reason
		}
	}
	if route.Moves() && (e.Members != 1 || !e.Values[valueCID].Present()) {
		return c.refusal(policy.BadBody, textMove)
	}
	judged := route.Judged(c.method)
	id, okID := keyOfElement(e, valueID, judged.ID)
	cid, okCID := keyOfElement(e, valueCID, judged.CID)
	if !okID || !okCID {
		return c.refusal(policy.BadBody, textKey)
	}
	reason := g.engine.JudgeElement(&c.dec, &c.in, policy.Keys{ID: id, CID: cid})
	switch reason {
	case policy.NotJudged:
		c.noteAccount(cid, shape)
	case policy.BadBody:
		c.public = "an id is not taken on creation"
	}
	return reason
}

// keyOfElement returns the integer of a judged key, 0 when it is absent or not
// judged here. It reports whether that is possible.
func keyOfElement(e *body.Element, value int, judged bool) (int64, bool) {
	if !judged || !e.Values[value].Present() {
		return 0, true
	}
	return e.Values[value].ID()
}

// judgeTopic refuses topics over which the vendor takes REST calls.
func (c *call) judgeTopic(e *body.Element) policy.Reason {
	topic := e.Values[valueTopic]
	if !topic.Present() {
		return policy.NotJudged
	}
	if topic.Kind != body.String {
		return c.refusal(policy.BadBody, textKey)
	}
	c.merge = topic.AppendString(c.merge[:0])
	if policy.ClosedTopicName(c.merge) {
		return policy.ClosedTopic
	}
	return policy.NotJudged
}

func multipart(contentType []byte) bool {
	const name = "multipart/form-data"
	return len(contentType) > len(name) && bytes.EqualFold(contentType[:len(name)], []byte(name)) &&
		(contentType[len(name)] == ';' || contentType[len(name)] == ' ')
}
