package mqtt

import (
	"net"
	"slices"
	"testing"
	"time"

	"aclgate/bench/broker/mosquitto"
	"aclgate/bench/sequences"
	"aclgate/proxy/mqtt/wire"
)

// differences are the sequences that mosquitto answers as their authors say, and the gateway does
// not: keys of nobody, reserved bits, and what is closed to everybody.
var differences = []string{
	// A reserved bit of the flags is set.
	"CONNECT/v3.1   CONNECT/10 ok",
	"CONNECT/v3.1   CONNECT/14 ok",
	// The user name is nobody's key.
	"CONNECT/v3.1.1 CONNECT/10 Password with 0x0000",
	"CONNECT/v3.1.1 CONNECT/10 Username flag 1 Password flag 1 ok",
	"CONNECT/v3.1.1 CONNECT/10 Username zero length ok",
	"CONNECT/v5.0   CONNECT/10 Username flag 1 ok",
	// What begins with $ is closed to everybody, both ways.
	"PUBLISH/v5.0   PUBLISH/PUBLISH with $ topic - connection/state",
	"SUBSCRIBE/v3.1.1 SUBSCRIBE/82 $SYS ok",
	"SUBSCRIBE/v5.0   SUBSCRIBE/82 $SYS ok",
}

// goodAtFirst are the sequences that have to end in a disconnect and begin with packets in which
// nothing is wrong: those, and no more, reach the broker behind CONNECT. Behind them come PUBLISH and
// PUBREL of the helper.
var goodAtFirst = map[string][]wire.Type{
	"FLOW/v3.1.1 FLOW/QoS 1 PUBLISH-PUBREC":               {wire.SUBSCRIBE, wire.PUBLISH},
	"FLOW/v3.1.1 FLOW/QoS 1 PUBLISH-PUBCOMP":              {wire.SUBSCRIBE, wire.PUBLISH},
	"FLOW/v3.1.1 FLOW/QoS 2 PUBLISH-PUBACK":               {wire.SUBSCRIBE, wire.PUBLISH, wire.PUBREL},
	"FLOW/v3.1.1 FLOW/QoS 2 PUBLISH-PUBCOMP":              {wire.SUBSCRIBE, wire.PUBLISH, wire.PUBREL},
	"FLOW/v3.1.1 FLOW/QoS 2 PUBLISH-PUBREC-PUBREL-PUBACK": {wire.SUBSCRIBE, wire.PUBREC, wire.PUBLISH, wire.PUBREL},
	"FLOW/v5.0   FLOW/QoS 1 PUBLISH-PUBREC":               {wire.SUBSCRIBE, wire.PUBLISH},
	"FLOW/v5.0   FLOW/QoS 1 PUBLISH-PUBCOMP":              {wire.SUBSCRIBE, wire.PUBLISH},
	"FLOW/v5.0   FLOW/QoS 2 PUBLISH-PUBACK":               {wire.SUBSCRIBE, wire.PUBLISH, wire.PUBREL},
	"FLOW/v5.0   FLOW/QoS 2 PUBLISH-PUBCOMP":              {wire.SUBSCRIBE, wire.PUBLISH, wire.PUBREL},
	"FLOW/v5.0   FLOW/QoS 2 PUBLISH-PUBREC-PUBREL-PUBACK": {wire.SUBSCRIBE, wire.PUBREC, wire.PUBLISH, wire.PUBREL},
	"PUBLISH/v3.1.1 PUBLISH/34 QoS 2 Dup flow*3":          {wire.PUBLISH, wire.PUBLISH},
	"PUBLISH/v5.0   PUBLISH/34 QoS 2 Dup flow*3":          {wire.PUBLISH, wire.PUBLISH},
	"CONNECT/v5.0   CONNECT/tiny max packet":              {wire.DISCONNECT}, // CONNACK is too long for it
}

// TestSequences plays mosquitto's sequences through the gateway in front of mosquitto. Of what has
// to end in a disconnect no byte reaches the broker; the rest is answered as by mosquitto alone, but
// for the differences.
func TestSequences(t *testing.T) {
	t.Parallel()
	dir, err := sequences.Find()
	if err != nil {
		t.Skip(err)
	}
	all, err := sequences.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mosquitto.Start(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	defer b.Close()
	recorder, err := sequences.Record(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	w := newWorld(t, recorder.Addr(), nil)
	to := func(address string) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.Dial("tcp", address) }
	}
	gateway := sequences.Player{Dial: to(w.addr), User: "master-key"}
	alone := sequences.Player{Dial: to(b.Addr()), Patience: 500 * time.Millisecond}
	good := 0
	var differ []string
	for _, test := range all {
		err := gateway.Play(test)
		_, packets, open := recorder.Take()
		if open != nil {
			t.Fatalf("%s: %v", test, open)
		}
		if err == nil {
			good++
		}
		switch {
		case test.Disconnect && err != nil:
			t.Errorf("%s: %v", test, err)
		case test.Disconnect:
			onlyGood(t, test, packets)
		case err != nil && alone.Play(test) == nil:
			t.Logf("%s: %v", test, err)
			differ = append(differ, test.String())
		}
	}
	t.Logf("%d of %d", good, len(all))
	if slices.Sort(differ); !slices.Equal(differ, differences) {
		t.Errorf("got %d differences from mosquitto, want the %d of the table: %q", len(differ), len(differences), differ)
	}
}

// onlyGood checks what reached the broker of a sequence that has to end in a disconnect: the
// gateway's CONNECT where the client's was good, a DISCONNECT that is good and therefore the end, and
// what the table names.
func onlyGood(t *testing.T, test sequences.Test, packets [][]byte) {
	t.Helper()
	var got []wire.Type
	for _, p := range packets {
		if kind := wire.Type(p[0] >> 4); kind != wire.CONNECT {
			got = append(got, kind)
		}
	}
	want := goodAtFirst[test.String()]
	if test.Connect && len(test.Steps) == 1 && goodbye(test.Steps[0].Bytes, test.Version) {
		want = []wire.Type{wire.DISCONNECT}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the broker got %v %x, want %v", test, got, packets, want)
	}
}

// goodbye reports whether a packet is a good DISCONNECT of a client: nothing, or on 5 one of its
// reasons, alone or with properties that begin with one of its own.
func goodbye(p []byte, version byte) bool {
	if len(p) < 2 || p[0] != 0xe0 || int(p[1]) != len(p)-2 {
		return false
	}
	reasons := []byte{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}
	return len(p) == 2 || version == 5 && slices.Contains(reasons, p[2]) &&
		(len(p) <= 4 || slices.Contains([]byte{0x11, 0x1f, 0x26}, p[4]))
}
