package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"aclgate/policy"
)

func TestParseLine(t *testing.T) {
	for _, row := range []struct {
		text string
		ok   bool
	}{
		{`{"decision":"00112233445566778899aabb","verdict":"deny"}`, true},
		{`{"event":"reload","result":"failed"}`, true},
		{`{"event":"reload","decision":"00"}`, false},
		{`{}`, false}, {``, false}, {`[]`, false},
		{`{"decision":"0`, false},
		{`{"decision":"00"}{"decision":"00"}`, false},
		{`{"decision":"00","key":"x"}`, false},
	} {
		if _, err := ParseLine([]byte(row.text)); (err == nil) != row.ok || err != nil && !errors.Is(err, ErrLine) {
			t.Errorf("%s: got %v, want ok %v", row.text, err, row.ok)
		}
	}
}

// What a change writes is read again.
func TestChangeIsALine(t *testing.T) {
	text, err := json.Marshal(Change{Time: time.Unix(1700000000, 0).UTC(), Event: "reload", Result: "failed", Faults: "a\nb", Revision: 3})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := ParseLine(text); err != nil || l.Faults != "a\nb" || l.Revision != 3 || l.Time.Unix() != 1700000000 {
		t.Errorf("got %+v, %v", l, err)
	}
}

// What a change of records writes is read again, every field of it.
func TestStoreChangeIsALine(t *testing.T) {
	text, err := json.Marshal(StoreChange{Time: time.Unix(1700000000, 0).UTC(), Event: "change", From: 3, Revision: 4, Actor: "user 5", Table: "tokens",
		IDs: []int64{7, 9}, Gone: []int64{9}, Count: 200, How: "from=::1"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ParseLine(text)
	if err != nil || l.Event != "change" || l.From != 3 || l.Revision != 4 || l.Actor != "user 5" || l.Table != "tokens" || len(l.IDs) != 2 || len(l.Gone) != 1 || l.Gone[0] != 9 || l.Count != 200 || l.How != "from=::1" {
		t.Errorf("got %+v, %v", l, err)
	}
}

// FuzzAuditLine: whatever a request holds, its record is one line, and the line reads as the record
// again.
func FuzzAuditLine(f *testing.F) {
	f.Add([]byte("/gw/devices/7,9"), int64(17), uint8(3), uint8(9), uint8(1))
	f.Add([]byte("/gw/devices/name=x\"\\\n\xff"), int64(-1), uint8(255), uint8(255), uint8(255))
	f.Add([]byte(`/gw/devices/{a=="b"}/messages`), int64(0), uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, target []byte, id int64, reason, would, shadow uint8) {
		verdicts := policy.Verdicts()
		r := Record{Facts: Facts{
			ID: NewID(), Start: time.Unix(1700000000, 123000), Verdict: verdicts[int(reason)%len(verdicts)],
			Reason: policy.Reason(reason), TokenID: id, CID: id, Scope: id, Denied: int(reason), Status: int(would),
			Source: netip.AddrFrom4([4]byte{10, 0, 0, reason}), Asked: id, BodyCID: id, BodyID: id, EntryLine: int(shadow),
			DryRun: Outcome{would&1 == 1, policy.Verdict(would % 4), policy.Reason(would)},
		}}
		r.SetRefused(target)
		text := r.AppendJSON(nil)
		if bytes.ContainsAny(text, "\n\r") {
			t.Fatalf("more than one line: %q", text)
		}
		l, err := ParseLine(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if l.Decision != r.ID.String() || l.Verdict != r.Verdict.String() || l.Reason != r.Reason.String() || l.Token != id ||
			l.Scope != id || l.Asked != id || l.BodyID != id || l.Target != string(r.AppendTarget(nil)) || !l.Time.Equal(r.Start) ||
			l.Source != r.Source.String() || r.DryRun.Known != (l.DryRun != "") || l.Line != int(shadow) {
			t.Errorf("got %+v from %s", l, text)
		}
	})
}
