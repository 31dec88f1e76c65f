package mqtt

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
	"aclgate/upstream/broker"
)

// connect reads CONNECT and answers it, in the order of SPEC 16.3: packet, limits, token, will,
// broker. Nothing reaches the broker before the token is known.
func (x *session) connect() {
	o := &x.server.o
	_ = x.conn.SetReadDeadline(time.Now().Add(o.Connect))
	if x.evicted.Load() { // meanwhile, with a deadline that was just taken back
		x.makeWay()
	}
	var c wire.Connect
	f, err := x.reader.Next()
	if err == nil {
		err = c.Parse(f)
	}
	x.version, x.toClient.version = c.Version, c.Version
	var fault *wire.Fault
	switch {
	case errors.As(err, &fault) && fault.Reason == wire.UnsupportedVersion:
		x.version, x.toClient.version = wire.V311, wire.V311 // all that a stranger may understand
		x.refuse(refusal{wire.UnsupportedVersion, policy.BadPacket})
		return
	case err != nil:
		reason := policy.BadPacket
		if x.evicted.Load() {
			reason = policy.Overloaded
		}
		x.noteConnect(reason, wire.Success)
		x.end(wire.Success, cut) // before CONNACK nothing is said
		return
	}
	x.countIn(f)
	key := keyOf(&c)
	assigned, why := x.admit(&c, key)
	x.leaveLobby()
	if why == admitted {
		why = x.open(&c, key)
	}
	if why != admitted {
		x.refuse(why)
		return
	}
	x.welcome(&c, assigned)
}

// refusal is why a CONNECT is refused: what the client is told, and what is remembered.
type refusal struct {
	code   wire.Reason
	reason policy.Reason
}

// admitted is no refusal.
var admitted = refusal{wire.Success, policy.Permitted}

// admit judges a CONNECT. It returns the client id that was given out, "" if the client has one,
// and why the client is refused.
func (x *session) admit(c *wire.Connect, key string) (assigned string, why refusal) {
	switch {
	case c.Properties.Has(wire.AuthMethod):
		return "", refusal{wire.BadAuthMethod, policy.BadPacket}
	case !x.server.room(0):
		return "", refusal{wire.QuotaExceeded, policy.Overloaded}
	}
	if why := x.identify(key); why != admitted {
		return "", x.charge(why)
	}
	if limits := x.server.o.Limits; limits != nil {
		end, reason := limits.Begin(x.rights.token, x.rights.judge.Tree)
		if reason != policy.NotJudged {
			return "", refusal{wire.QuotaExceeded, reason}
		}
		x.begun = end
	}
	if x.counted = true; !x.server.room(1) {
		return "", refusal{wire.QuotaExceeded, policy.Overloaded}
	}
	if len(c.ClientID) == 0 {
		if c.Version == wire.V31 || c.Version == wire.V311 && !c.CleanStart {
			return "", refusal{wire.ClientIDNotValid, policy.BadPacket}
		}
		assigned = "aclgate-" + rand.Text()
		c.ClientID = []byte(assigned)
	}
	if c.HasWill {
		asked := c.Will.Topic
		reason := x.judgeWill(&c.Will)
		x.note(record.Will, reason, wire.NotAuthorized, asked)
		if reason != policy.Permitted {
			return "", refusal{wire.NotAuthorized, policy.WillDenied}
		}
	}
	return assigned, admitted
}

// charge has an address answer for a CONNECT without a valid token. The token was looked for before:
// whatever strangers do behind one address, a valid key that comes from there is served.
func (x *session) charge(why refusal) refusal {
	charge := x.server.o.Charge
	if why.code != wire.BadUserNameOrPassword || charge == nil || charge(x.source) {
		return why
	}
	return refusal{wire.ConnectRateExceeded, policy.LimitSource}
}

// The schemes in front of a key.
const (
	schemeFlespi = "FlespiToken "
	schemeBearer = "Bearer "
)

// keyOf returns the key: the user name, or the password where that is empty [V].
func keyOf(c *wire.Connect) string {
	key := string(c.User)
	if key == "" {
		key = string(c.Password)
	}
	for _, scheme := range []string{schemeFlespi, schemeBearer} {
		if len(key) > len(scheme) && strings.EqualFold(key[:len(scheme)], scheme) {
			return key[len(scheme):]
		}
	}
	return key
}

// isJWT reports whether a key is a token from elsewhere. Such are taken in Authorization alone
// (SPEC 10.10), so one that was remembered there is none here.
func isJWT(key string) bool { return strings.HasPrefix(key, "eyJ") && strings.Count(key, ".") == 2 }

// identify finds the token. Whatever is wrong with it, the client gets one answer.
func (x *session) identify(key string) refusal {
	o, r := &x.server.o, &x.rights
	if key == "" {
		return refusal{wire.BadUserNameOrPassword, policy.TokenMissing}
	}
	if isJWT(key) {
		return refusal{wire.BadUserNameOrPassword, policy.TokenUnknown}
	}
	r.digest = sha256.Sum256([]byte(key))
	now := time.Now()
	r.revision = o.Tokens.Revision(r.digest.Key())
	token, err := o.Tokens.Lookup(r.digest, now)
	switch {
	case errors.Is(err, policy.StoreStale):
		return refusal{wire.ServerUnavailable, policy.StoreStale}
	case err != nil:
		return refusal{wire.BadUserNameOrPassword, policy.TokenUnknown}
	}
	x.caller = record.CallerOf(token)
	tree := o.Accounts.Tree()
	in := policy.Input{Token: token, At: now.Unix(), Source: x.source, Origin: x.origin, Tree: tree}
	if reason := o.Engine.Authenticate(&in); reason != policy.NotJudged {
		if reason.Answer().Class == policy.ClassUnauthorized {
			return refusal{wire.BadUserNameOrPassword, reason}
		}
		return refusal{wire.NotAuthorized, reason}
	}
	if token.IsUser {
		return refusal{wire.NotAuthorized, policy.ClosedMQTT} // topics have no roles [G]
	}
	if o.Blocked != nil && o.Blocked(token) {
		return refusal{wire.QuotaExceeded, policy.AccountBlocked}
	}
	in.NoteUse(policy.NotJudged)
	permit := o.Law.Permit(token)
	r.token, r.judge, r.fingerprint = token, topic.NewJudge(permit), permit.Fingerprint(tree)
	r.judge.Source, r.judge.Origin, r.judge.Tree = x.source, x.origin, tree
	if why := x.inForce(now); why != wire.Success {
		return refusal{why, policy.Revoked} // between two looks
	}
	return admitted
}

// judgeWill judges the will as the publish that it is, and makes it what the broker may have.
func (x *session) judgeWill(w *wire.Will) policy.Reason {
	cid, valid := takeAccount(&w.Properties)
	if !valid {
		return policy.SenderOutside
	}
	if limit := uint32(x.server.o.MaxWillDelay / time.Second); w.Properties.Num(wire.WillDelay) > limit {
		w.Properties.SetNum(wire.WillDelay, limit)
	}
	reason := x.rights.judge.Will(w.Topic, w.Properties.Text(wire.ResponseTopic), cid)
	if reason != policy.Permitted {
		return reason
	}
	var placed bool
	if w.Topic, placed = x.toPath(nil, w.Topic, &w.Properties, cid); !placed {
		return policy.SenderOutside
	}
	x.nameSender(&w.Properties)
	return reason
}

// open connects to the broker in the session's name there.
func (x *session) open(c *wire.Connect, key string) refusal {
	// The gateway enforces the client's keep alive time, before the broker would.
	patience := uint16(min(2*int(c.KeepAlive), 1<<16-1))
	own := wire.Connect{
		CleanStart: true, KeepAlive: patience, ClientID: x.nameOf(c.ClientID), HasWill: c.HasWill, Will: c.Will,
	}
	if most := c.Properties.Num(wire.ReceiveMaximum); most != 0 {
		own.Properties.SetNum(wire.ReceiveMaximum, most)
	}
	conn, err := x.server.o.Broker.Connect(context.Background(), &own, key)
	x.server.noteBroker(err)
	switch {
	case errors.Is(err, broker.ErrCredential) || errors.Is(err, broker.ErrVersion):
		return refusal{wire.ServerUnavailable, policy.UpstreamUnauthorized}
	case errors.Is(err, broker.ErrSlow):
		return refusal{wire.ServerUnavailable, policy.UpstreamSlow}
	case err != nil:
		return refusal{wire.ServerUnavailable, policy.UpstreamBroken}
	}
	x.toBroker.version, x.toBroker.send = wire.V5, conn.Send
	if x.broker.Store(conn); x.ended.Load() {
		_ = conn.Destroy() // the server is closing
	}
	return admitted
}

// nameOf returns the client id by which the broker knows the session: nobody takes over one of
// another token, and no session outlives the rights under which it was made.
func (x *session) nameOf(clientID []byte) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(x.rights.token.ID)))
	h.Write(x.rights.fingerprint[:])
	h.Write(clientID)
	return []byte("ag-" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:22])
}

// refuse answers CONNECT with a failure and ends the session.
func (x *session) refuse(why refusal) {
	code := wire.ConnackCode(why.code, x.version)
	x.noteConnect(why.reason, code)
	_ = x.toClient.put(&wire.Connack{Code: code})
	x.end(why.code, destroyed)
}

// welcome answers CONNECT: what the broker said, less what is between it and us, and the smaller of
// both sides' limits.
func (x *session) welcome(c *wire.Connect, assigned string) {
	o, can := &x.server.o, &x.broker.Load().Can
	a := wire.Connack{Code: wire.Success}
	p := &a.Properties
	x.inflight = min(o.MaxInflight, can.ReceiveMax)
	p.SetNum(wire.ReceiveMaximum, uint32(x.inflight))
	p.SetNum(wire.AliasMaximum, uint32(o.TopicAliases))
	most := o.MaxPacket
	if can.MaxPacket > 0 {
		most = min(most, can.MaxPacket)
	}
	p.SetNum(wire.MaximumPacket, uint32(most))
	for id, able := range map[wire.Property]bool{
		wire.RetainAvailable: can.Retain, wire.WildcardAvailable: can.Wildcards, wire.SharedAvailable: can.Shared,
		wire.IdentifiersAvailable: can.IDs,
	} {
		if !able {
			p.SetNum(id, 0)
		}
	}
	if can.MaxQoS < 2 {
		p.SetNum(wire.MaximumQoS, uint32(can.MaxQoS))
	}
	x.keepAlive = time.Duration(c.KeepAlive) * time.Second
	if can.KeepAlive != 0 {
		p.SetNum(wire.ServerKeepAlive, uint32(can.KeepAlive))
		x.keepAlive = time.Duration(can.KeepAlive) * time.Second
	}
	if x.lasting = c.Properties.Num(wire.SessionExpiry) != 0; x.lasting {
		p.SetNum(wire.SessionExpiry, 0)
	}
	if assigned != "" {
		p.SetText(wire.AssignedClientID, []byte(assigned))
	}
	if o.Info != nil {
		p.User = append(p.User, wire.Pair{Name: []byte("token"), Value: o.Info(x.rights.token)})
	}
	x.maxPacket = int(c.Properties.Num(wire.MaximumPacket))
	x.reader.Accept(c.Version, o.MaxPacket)
	x.aliases = wire.NewAliases(o.TopicAliases)
	if fits, err := x.toClient.add(&a, x.maxPacket); err != nil || !fits || x.toClient.flush() != nil {
		x.end(wire.Success, destroyed)
		return
	}
	_ = x.conn.SetReadDeadline(time.Time{})
	if x.ended.Load() { // meanwhile, with a deadline that was just taken back
		_ = x.conn.SetReadDeadline(time.Now())
	}
	x.heard.Store(time.Now().UnixNano())
	x.serving.Store(true)
	x.noteConnect(policy.Permitted, wire.Success)
}
