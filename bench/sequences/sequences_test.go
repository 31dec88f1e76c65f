package sequences

import (
	"net"
	"testing"
	"time"

	"aclgate/bench/broker/mosquitto"
)

func TestBytes(t *testing.T) {
	for notation, want := range map[string]string{
		"":                               "",
		"10 r15 s6 'MQIsdp' 03 01 k10":   "\x10\x0f\x00\x06MQIsdp\x03\x01\x00\x0a",
		"82 r268435456 m1234":            "\x82\x80\x80\x80\x80\x01\x04\xd2",
		"v5 11 L1 H2 i3 s2 746F 'a b'00": "\x05\x11\x00\x00\x00\x01\x00\x02\x03\x00\x02toa b\x00",
	} {
		if got, err := Bytes(notation); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", notation, got, err, want)
		}
	}
	for _, notation := range []string{"1", "zz", "r", "'a", "s99999999999"} {
		if got, err := Bytes(notation); err == nil {
			t.Errorf("%s: got %q, want an error", notation, got)
		}
	}
}

// TestMosquitto plays the sequences against mosquitto itself, the measure of what a broker of
// Debian does: with 2.0.11 1,697 of 1,826 end as their newer authors say. The player is wrong if
// there are fewer.
func TestMosquitto(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	dir, err := Find()
	if err != nil {
		t.Skip(err)
	}
	all, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := mosquitto.Start(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	defer server.Close()
	player := Player{
		Dial:     func() (net.Conn, error) { return net.Dial("tcp", server.Addr()) },
		Patience: 500 * time.Millisecond, // most tests that fail here wait for what never comes
	}
	good := 0
	for _, test := range all {
		if err := player.Play(test); err != nil {
			t.Logf("%s: %v", test, err)
			continue
		}
		good++
	}
	t.Logf("%d of %d", good, len(all))
	if good < 1650 {
		t.Errorf("got %d of %d, want at least 1,650", good, len(all))
	}
}
