package mqtt

import (
	"bytes"
	"slices"
	"strconv"

	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// The user properties that mean something between gateway, broker and client.
const (
	userAccount       = "cid"
	userTimestamp     = "timestamp"
	userToken         = "token"
	userSubscriptions = "subscriptions"
	userOurs          = "aclgate-" // prefix of the gateway's own
)

// reserved reports whether only the gateway may say it to a client.
func reserved(name []byte) bool {
	return string(name) == userToken || string(name) == userSubscriptions || bytes.HasPrefix(name, []byte(userOurs))
}

// takeAccount takes the user properties that a client may not set off its packet, and returns the
// account that it named; 0: none. An account that is malformed or comes twice is not valid.
func takeAccount(p *wire.Properties) (cid int64, valid bool) {
	valid = true
	p.User = slices.DeleteFunc(p.User, func(u wire.Pair) bool {
		if string(u.Name) != userAccount {
			return string(u.Name) == userTimestamp || reserved(u.Name)
		}
		id, good := policy.ParseID(u.Value)
		valid = valid && good && cid == 0
		cid = id
		return true
	})
	return cid, valid
}

// nameSender tells a broker that knows accounts whose message it is.
func (x *session) nameSender(p *wire.Properties) {
	if x.server.o.Law.Namespace == topic.ByCID {
		p.User = append(p.User, wire.Pair{Name: []byte(userAccount), Value: strconv.AppendInt(nil, x.rights.token.CID, 10)})
	}
}

// accountOf takes off a delivery what only the gateway may say, and returns the account that the
// broker says it is of; 0: none. One that cannot be read, or two that differ, are -1, which is no
// account. A broker that says what the sender said says it twice: clients see it once.
func accountOf(p *wire.Properties) (cid int64) {
	p.User = slices.DeleteFunc(p.User, func(u wire.Pair) bool {
		if string(u.Name) != userAccount {
			return reserved(u.Name)
		}
		id, good := policy.ParseID(u.Value)
		again := good && id == cid
		if !again && (!good || cid != 0) {
			id = -1
		}
		cid = id
		return again
	})
	return cid
}
