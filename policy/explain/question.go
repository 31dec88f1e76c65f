package explain

import (
	"encoding/hex"
	"encoding/json"
	"net/netip"

	"aclgate/policy"
)

// Question is a request that the running gateway is to explain. Ask has what the request says, its
// time, and the name of the policy file; with the time 0 it is asked now, and what is true of limits
// and blocks at this moment counts.
type Question struct {
	Action string // of a client on the topic or filter that is Ask.Target; "": a request is explained
	Ask    Ask
	Token  policy.Digest
	User   int64 // in the place of Token: what a session of the user could do; 0: Token says who asks

	Claims  json.RawMessage // beside User, an object: of a token from elsewhere; nil: it is a login
	Session int64           // beside User: the token whose it is, if it is still known; 0: none

	Bearer string // in the place of Token and User: a token from elsewhere, whole; it is shown nowhere
}

// questionJSON is a Question as it is sent.
type questionJSON struct {
	Action  string          `json:"action,omitempty"`
	Method  string          `json:"method"`
	Target  string          `json:"target"`
	Digest  string          `json:"token_sha256,omitempty"`
	User    int64           `json:"user,omitempty"`
	Claims  json.RawMessage `json:"claims,omitempty"`
	Session int64           `json:"session,omitempty"`
	Bearer  string          `json:"bearer,omitempty"`
	CID     int64           `json:"cid,omitempty"`
	At      int64           `json:"at,omitempty"`
	Source  netip.Addr      `json:"source"`
	Origin  string          `json:"origin,omitempty"`
	Body    []policy.Keys   `json:"body,omitempty"`
	File    string          `json:"file,omitempty"`
}

// MarshalJSON returns the body of POST /explain.
func (q *Question) MarshalJSON() ([]byte, error) {
	a, digest := &q.Ask, ""
	if q.User == 0 && q.Bearer == "" {
		digest = hex.EncodeToString(q.Token[:])
	}
	return json.Marshal(questionJSON{
		q.Action, a.Method, a.Target, digest, q.User, q.Claims, q.Session, q.Bearer, a.AskedCID, a.At, a.Source, string(a.Origin), a.Body, a.File,
	})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (q *Question) UnmarshalJSON(text []byte) error {
	var j questionJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	q.Action, q.User, q.Claims, q.Session, q.Bearer, q.Ask = j.Action, j.User, j.Claims, j.Session, j.Bearer, Ask{Method: j.Method, Target: j.Target, File: j.File}
	q.Ask.AskedCID, q.Ask.At, q.Ask.Source, q.Ask.Origin, q.Ask.Body = j.CID, j.At, j.Source, []byte(j.Origin), j.Body
	digest, err := hex.DecodeString(j.Digest)
	if err == nil && q.User == 0 && q.Bearer == "" && len(digest) != len(q.Token) {
		err = hex.ErrLength
	}
	copy(q.Token[:], digest)
	return err
}
