package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Line is one line of the audit log, read again: a decision, a change by an operator, which has an
// Event, or an Action of an MQTT session.
type Line struct {
	Time     time.Time `json:"time"`
	Decision string    `json:"decision"`
	Verdict  string    `json:"verdict"`
	Reason   string    `json:"reason"`
	Method   string    `json:"method"`
	Status   int       `json:"status"`
	Route    string    `json:"route"`
	Target   string    `json:"target"`    // without query; of a match only its beginning; of many ids their number and a digest
	Param    string    `json:"parameter"` // the name of what the request was refused for
	Header   string    `json:"header"`    // likewise
	Backend  string    `json:"backend"`   // the status and the words by which it refused a match
	Dropped  string    `json:"dropped"`   // names of parameters that were left out, percent-encoded, with commas
	Trace    string    `json:"trace"`
	Entry    int       `json:"entry"`
	Line     int       `json:"line"`
	Denied   int       `json:"denied"`

	Token  int64  `json:"token"`
	Digest string `json:"digest"` // 8 hex digits
	CID    int64  `json:"cid"`

	User      int64    `json:"user"` // that the token carried
	UserName  string   `json:"user_name"`
	Realm     int64    `json:"realm"`
	RealmName string   `json:"realm_name"`
	Issuer    string   `json:"issuer"` // of the token from elsewhere
	Roles     []string `json:"roles"`  // that permitted, and nothing else

	Scope   int64  `json:"scope"`
	Asked   int64  `json:"asked_cid"` // the account that the request named
	Path    string `json:"path"`      // beside the branch
	BodyCID int64  `json:"body_cid"`  // what the body named and was refused
	BodyID  int64  `json:"body_id"`
	Source  string `json:"source"`

	DryRun       string `json:"would"`
	DryRunReason string `json:"would_reason"`
	Shadow       string `json:"shadow"`
	ShadowReason string `json:"shadow_reason"`

	BytesIn    int64 `json:"bytes_in"`
	BytesOut   int64 `json:"bytes_out"`
	TotalUS    int64 `json:"total_us"`
	OwnUS      int64 `json:"own_us"`
	UpstreamUS int64 `json:"upstream_us"`

	Action   string `json:"action"`
	Code     int    `json:"code"`  // MQTT's reason code
	Topic    string `json:"topic"` // or filter
	Printed  int    `json:"printed"`
	Withheld int64  `json:"withheld"`

	Event    string `json:"event"`
	Result   string `json:"result"`
	Revision uint64 `json:"revision"`
	Faults   string `json:"faults"`

	From  int64   `json:"from"` // the first revision of a change of records, if there are several
	Actor string  `json:"actor"`
	Table string  `json:"table"`
	IDs   []int64 `json:"ids"`
	Gone  []int64 `json:"gone"`  // those of the records that are not there any more; nil: the line does not say
	Count int     `json:"count"` // of the records, if not all are in IDs
	How   string  `json:"how"`
}

// ErrLine is the error of a text that is no line of an audit log.
var ErrLine = errors.New("this is no line of an audit log")

// ParseLine is the inverse of Record.AppendJSON, Topic.AppendJSON and of what Change and StoreChange write. Its error is ErrLine:
// part of a line may have been written when the disk was full.
func ParseLine(text []byte) (Line, error) {
	var l Line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&l) != nil || d.More() {
		return Line{}, ErrLine
	}
	kinds := 0
	for _, kind := range []string{l.Decision, l.Event, l.Action} {
		if kind != "" {
			kinds++
		}
	}
	if kinds != 1 {
		return Line{}, ErrLine
	}
	return l, nil
}
