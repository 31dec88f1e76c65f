package mqtt

import (
	"bytes"
	"slices"
	"strconv"

	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// Where accounts are told apart by path, own topics have another name at the broker (SPEC 16.4.6).

// toPath gives a permitted own topic its name at the broker, in dst, and its response topic too.
// The account is the one that the sender named, or the sender's. It reports false for an account
// that has no place. The lock of rights is held.
func (x *session) toPath(dst, name []byte, p *wire.Properties, cid int64) ([]byte, bool) {
	law := x.server.o.Law
	if law.Namespace != topic.ByPath {
		return name, true
	}
	if cid == 0 {
		cid = x.rights.token.CID
	}
	path, placed := law.AppendPath(dst[:0], x.rights.judge.Tree, cid, name)
	if response := p.Text(wire.ResponseTopic); response != nil && placed {
		response, placed = law.AppendPath(nil, x.rights.judge.Tree, cid, response)
		p.SetText(wire.ResponseTopic, response)
	}
	return path, placed
}

// fromPath makes a permitted delivery what the client is shown: topics without their path, and the
// account of the path. A response topic that has no path is nothing that the client could answer
// to.
func (x *session) fromPath(m *wire.Publish, shown []byte, account int64, d *delivery) {
	law := x.server.o.Law
	if law.Namespace != topic.ByPath {
		return
	}
	m.Topic = shown
	if account != 0 {
		d.account = strconv.AppendInt(d.account[:0], account, 10)
		m.Properties.User = append(m.Properties.User, wire.Pair{Name: []byte(userAccount), Value: d.account})
	}
	response := m.Properties.Text(wire.ResponseTopic)
	if response == nil {
		return
	}
	levels := bytes.SplitN(response, []byte("/"), law.Depth+2)
	if len(levels) < law.Depth+2 || string(levels[0]) != law.Prefix || len(levels[law.Depth+1]) == 0 {
		m.Properties.Delete(wire.ResponseTopic)
		return
	}
	m.Properties.SetText(wire.ResponseTopic, levels[law.Depth+1])
}

// dropAccount takes the account off a delivery whose path says it.
func dropAccount(p *wire.Properties) {
	p.User = slices.DeleteFunc(p.User, func(u wire.Pair) bool { return string(u.Name) == userAccount })
}
