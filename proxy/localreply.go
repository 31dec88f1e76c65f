package proxy

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// localReplies answers what the gateway knows better than the backend.
type localReplies struct {
	heads        *headPrinter
	via          *forwarding
	mqttWS, mqtt func() string // of Options
	region       []byte        // further members
}

// regions tells clients where the API is: here. They must not be sent around the gateway (SPEC 3).
func (l *localReplies) regions(c *call, ev *evaluation, resp *response) policy.Reason {
	if r := ev.in.Request.Route; r == nil || r.Local != policy.LocalRegions {
		return policy.NotJudged
	}
	b := append(resp.body[:0], `{"result":[{"name":"aclgate","default":true,"rest":"`...)
	b = appendJSONBytes(b, l.via.appendOwnURL(nil, c))
	b = append(b, '"')
	b = appendListener(b, `,"mqtt-ws":"`, l.mqttWS, c.head.Host)
	b = appendListener(b, `,"mqtt":"`, l.mqtt, c.head.Host)
	b = append(b, l.region...)
	resp.body = append(b, `}]}`...)
	l.heads.reply(c, resp, fasthttp.StatusOK, resp.body)
	return policy.OwnAnswer
}

// appendListener appends where a listener for MQTT is found: at the address that it says, or, where
// it says a port alone, at the Host that the client asked for.
func appendListener(b []byte, member string, listener func() string, host []byte) []byte {
	if listener == nil {
		return b
	}
	address := listener()
	if address == "" {
		return b
	}
	b = append(b, member...)
	if address[0] == ':' {
		if colon := bytes.LastIndexByte(host, ':'); colon > bytes.LastIndexByte(host, ']') {
			host = host[:colon]
		}
		b = appendJSONBytes(b, host)
	}
	return append(append(b, address...), '"')
}

// info answers /auth/info from the token's own record; the key is not in it and nobody has it.
func (l *localReplies) info(c *call, ev *evaluation, resp *response) policy.Reason {
	if r := ev.in.Request.Route; r == nil || r.Local != policy.LocalInfo {
		return policy.NotJudged
	}
	b := AppendTokenInfo(append(resp.body[:0], `{"result":[`...), ev.in.Token)
	resp.body = append(b, `]}`...)
	l.heads.reply(c, resp, fasthttp.StatusOK, resp.body)
	return policy.OwnAnswer
}

// AppendTokenInfo appends what /auth/info says of a token, as a JSON object.
func AppendTokenInfo(b []byte, t *policy.Token) []byte {
	b = append(b, `{"access":`...)
	b = appendAccess(b, t)
	b = appendMember(b, "accessed", t.LastUsed())
	b = appendMember(b, "blocked", 0)
	b = appendMember(b, "cid", t.CID)
	b = appendMember(b, "created", t.Created)
	b = append(b, `,"enabled":true`...)
	b = appendMember(b, "expire", t.Expire)
	b = appendMember(b, "id", t.ID)
	b = append(b, `,"info":"`...)
	b = appendJSONText(b, t.Info)
	b = append(b, '"')
	b = appendMember(b, "ttl", t.TTL)
	return append(b, '}')
}

func appendMember(b []byte, name string, n int64) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, n, 10)
}

// appendAccess appends access type and ACL in the form in which flespi exports them, so that a
// client can see what it may do.
func appendAccess(b []byte, t *policy.Token) []byte {
	b = append(b, '{')
	if t.Access == policy.ACLAccess {
		b = append(b, `"acl":[`...)
		for i, e := range t.ACL.Entries() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendEntry(b, &e)
		}
		b = append(b, `],`...)
	}
	b = append(b, `"type":`...)
	b = strconv.AppendInt(b, int64(t.Access.Number()), 10)
	return append(b, '}')
}

func appendEntry(b []byte, e *policy.Entry) []byte {
	b = append(b, `{"uri":"`...)
	b = appendJSONText(b, e.URI)
	b = append(b, `","methods":`...)
	b = appendMethods(b, e.Methods)
	switch e.Rule {
	case policy.IDsAll:
		b = append(b, `,"ids":"all"`...)
	case policy.IDsInGroups:
		b = append(b, `,"ids":"in-groups"`...)
	case policy.IDsList:
		b = append(append(append(b, `,"ids":[`...), e.IDs.Text()...), ']')
	}
	if e.Topic != "" || e.Actions != 0 {
		b = append(b, `,"topic":"`...)
		b = appendJSONText(b, e.Topic)
		b = appendActions(append(b, `","actions":[`...), e.Actions)
		b = append(b, ']')
	}
	if !e.HasSubmodules {
		return append(b, '}')
	}
	b = append(b, `,"submodules":[`...)
	for i, s := range e.Submodules {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":"`...)
		b = appendJSONText(b, s.Name)
		b = append(b, `","methods":`...)
		b = append(appendMethods(b, s.Methods), '}')
	}
	return append(b, `]}`...)
}

// appendActions appends the actions as elements of an array.
func appendActions(b []byte, a policy.Actions) []byte {
	switch a {
	case policy.Publish | policy.Subscribe:
		return append(b, `"publish","subscribe"`...)
	case 0:
		return b
	}
	return append(a.Append(append(b, '"')), '"')
}

func appendMethods(b []byte, s policy.MethodSet) []byte {
	b = append(b, '[')
	n := len(b)
	for m := policy.GET; m <= policy.DELETE; m++ {
		if !s.Has(m) {
			continue
		}
		if len(b) > n {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.String()...), '"')
	}
	return append(b, ']')
}
