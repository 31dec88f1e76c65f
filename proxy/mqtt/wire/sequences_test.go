package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"aclgate/bench/sequences"
)

func loadSequences(t *testing.T) []sequences.Test {
	t.Helper()
	dir, err := sequences.Find()
	if err != nil {
		t.Skip(err)
	}
	all, err := sequences.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// verdict reads what a test's client sends, all in one, and returns the first fault; io.EOF if the
// end was reached; errEnded after a good DISCONNECT.
func verdict(test sequences.Test) error {
	var stream bytes.Buffer
	for _, s := range test.Steps {
		if s.Kind == sequences.Send {
			stream.Write(s.Bytes)
		}
	}
	r := NewReader(&stream, Client, 0, 64<<10)
	if test.Connect {
		r.Accept(Version(test.Version), 256<<10)
	}
	aliases := NewAliases(10)
	for {
		f, err := r.Next()
		if err != nil {
			return err
		}
		p := newPacket(f.Type)
		if err := p.Parse(f); err != nil {
			return err
		}
		switch p := p.(type) {
		case *Connect:
			r.Accept(p.Version, 256<<10)
		case *Publish:
			if err := aliases.Resolve(p); err != nil {
				return err
			}
		case *Disconnect:
			return errEnded
		}
	}
}

var errEnded = errors.New("the client said DISCONNECT")

// bySession has the tests, by the start of their names, whose disconnect only a session can know:
// what a packet says depends on those before it, or on settings.
var bySession = []string{
	"CONNECT/v3.1   CONNECT/10 empty client ID",
	"CONNECT/v3.1.1 CONNECT/10 empty client ID clean false",
	"CONNECT/v5.0   CONNECT/tiny max packet",
	"CONNECT/v5.0   CONNECT EXTENDED AUTH/unsupported authentication method",
	"FLOW/v3.1.1 FLOW/QoS ",
	"FLOW/v5.0   FLOW/QoS ",
	"PUBLISH/v3.1.1 PUBLISH/34 QoS 2 Dup flow*3",
	"PUBLISH/v5.0   PUBLISH/34 QoS 2 Dup flow*3",
}

// reservedBits has the tests of 3.1 that mosquitto lets pass; see docs/choices.md.
var reservedBits = []string{"CONNECT/v3.1   CONNECT/10 ok", "CONNECT/v3.1   CONNECT/14 ok"}

// otherReason has the faults for which mosquitto says 0x81 in one packet and 0x82 in another, or
// the opposite of the standard (2.1.3, 2.2.1, 2.2.2.2, 3.8.3): there the standard's is right.
var otherReason = []string{
	"a reason code that this packet does not know",
	"a property that this packet may not have",
	"the flags of a packet are not those of its type",
	"SUBSCRIBE without a filter",
	"UNSUBSCRIBE without a filter",
	"a packet that this side does not send",
	"an empty topic without a topic alias",
	"packet id 0",
	"retain handling 3",
}

// TestSequences: what mosquitto's authors say has to end a connection is a fault of the packet, or
// one that only a session can see; what has to pass is none. Where a DISCONNECT is expected, its
// reason is the fault's.
func TestSequences(t *testing.T) {
	named := func(list []string, test sequences.Test) bool {
		return slices.ContainsFunc(list, func(n string) bool { return strings.HasPrefix(test.String(), n) })
	}
	refused, reasons := 0, 0
	all := loadSequences(t)
	for _, test := range all {
		err := verdict(test)
		var fault *Fault
		switch isFault := errors.As(err, &fault); {
		case !isFault && !errors.Is(err, io.EOF) && !errors.Is(err, errEnded):
			t.Errorf("%s: %v", test, err)
		case isFault && !test.Disconnect && !named(reservedBits, test):
			t.Errorf("%s: got %v, want no fault", test, err)
		case errors.Is(err, io.EOF) && test.Disconnect && !named(bySession, test):
			t.Errorf("%s: got no fault", test)
		case isFault && test.Disconnect:
			refused++
			last := test.Steps[len(test.Steps)-1]
			if last.Kind == sequences.Receive && len(last.Bytes) == 3 && last.Bytes[0] == 0xe0 {
				if reasons++; Reason(last.Bytes[2]) != fault.Reason && !slices.Contains(otherReason, fault.Text) {
					t.Errorf("%s: got %v (%v), want 0x%x", test, fault.Reason, fault, last.Bytes[2])
				}
			}
		}
	}
	t.Logf("%d sequences, %d refused, %d of them with a reason", len(all), refused, reasons)
}
