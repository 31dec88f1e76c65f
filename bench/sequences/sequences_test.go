package sequences

import (
	"io"
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
		Patience: 200 * time.Millisecond, // most tests that fail here wait for what never comes
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

// withUser names a user where the packet is a whole CONNECT without one, and mends nothing.
func TestWithUser(t *testing.T) {
	for notation, want := range map[string]string{
		"10 r13 s4 'MQTT' 04 02 k10 s1 'p'":                                 "10 r16 s4 'MQTT' 04 82 k10 s1 'p' s1 'u'",
		"10 r19 s4 'MQTT' 04 06 k10 s1 'p' s1 'p' s1 'p'":                   "10 r22 s4 'MQTT' 04 86 k10 s1 'p' s1 'p' s1 'p' s1 'u'",
		"10 r14 s4 'MQTT' 05 02 k10 v0 s1 'p'":                              "10 r17 s4 'MQTT' 05 82 k10 v0 s1 'p' s1 'u'",
		"10 r23 s4 'MQTT' 05 06 k10 v0 s1 'p' v2 01 01 s1 'p' s1 'p' E0 00": "10 r26 s4 'MQTT' 05 86 k10 v0 s1 'p' v2 01 01 s1 'p' s1 'p' s1 'u' E0 00",
		"10 r13 s4 'MQTT' 04 03 k10 s1 'p'":                                 "10 r16 s4 'MQTT' 04 83 k10 s1 'p' s1 'u'",
		"10 r14 s4 'MQTT' 04 02 k10 s1 'p' 00":                              "",
		"10 r12 s4 'MQTT' 04 02 k10 s1 'p'":                                 "",
		"10 8D00 s4 'MQTT' 04 02 k10 s1 'p'":                                "",
		"10 r16 s4 'MQTT' 04 82 k10 s1 'p' s1 'v'":                          "",
		"10 r16 s4 'MQTT' 04 42 k10 s1 'p' s1 'v'":                          "",
		"10 r13 s4 'MQTT' 05 02 k10 s1 'p'":                                 "",
		"10 r4 s4 'MQ'":                                                     "",
		"10":                                                                "", "C0 00": "", "": "",
	} {
		packet, err := Bytes(notation)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = notation
		}
		expected, err := Bytes(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := withUser(packet, "u"); string(got) != string(expected) {
			t.Errorf("%s: got %x, want %x", notation, got, expected)
		}
	}
}

// What a recorder passes on it keeps, whole, and only until it is asked.
func TestRecorder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			c.Close()
		}
	}()
	r, err := Record(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		c, err := net.Dial("tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "\xc0\x00\x30\x03\x00\x01a\xc0")
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		conns, packets, err := r.Take()
		if err != nil || conns != 1 || len(packets) != 3 || string(packets[0]) != "\xc0\x00" || string(packets[1]) != "\x30\x03\x00\x01a" || string(packets[2]) != "\xc0" {
			t.Errorf("got %d, %x, %v", conns, packets, err)
		}
	}
}
