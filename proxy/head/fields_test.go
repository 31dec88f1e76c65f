package head

import (
	"strings"
	"testing"
)

// Ensure that no header of identity or framing comes twice.
func TestOnce(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"two Authorization", get("Authorization: a", "authorization: b"), errTwice},
		{"two x-flespi-cid", get("X-Flespi-Cid: 1", "x-flespi-cid: 1"), errTwice},
		{"two Content-Length", put("Content-Length: 0", "Content-Length: 0"), errTwice},
		{"two Content-Type", put("Content-Length: 0", "Content-Type: a", "Content-Type: a"), errTwice},
		{"two Content-Encoding", put("Content-Length: 0", "Content-Encoding: a", "Content-Encoding: a"), errTwice},
		{"two Expect", get("Expect: 100-continue", "Expect: 100-continue"), errTwice},
		{"two Origin", get("Origin: a", "Origin: a"), errTwice},
		{"two Host", get("Host: a"), errTwice},
		{"two of another", get("Accept: a", "Accept: b"), nil},
	})
}

// Ensure that none comes in a spelling that others fold to it.
func TestUnderscores(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"underscore", get("X_Flespi_Cid: 1"), errUnderscore},
		{"one underscore", get("X-Flespi_Cid: 1"), errUnderscore},
		{"framing with underscore", put("Transfer_Encoding: chunked", "Content-Length: 0"), errUnderscore},
		{"length with underscore", put("content_LENGTH: 0"), errUnderscore},
		{"type with underscore", get("Content_Type: a"), errUnderscore},
		{"underscore elsewhere", get("X_Forwarded_For: a", "x_flespi_app: "+strings.Repeat("a", 99)), nil},
	})
}

// Ensure that an account is spelled one way, and that the vendor's limits hold.
func TestVendorHeaders(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"cid empty", get("X-Flespi-Cid:"), errCID},
		{"cid 0", get("X-Flespi-Cid: 0"), errCID},
		{"cid signed", get("X-Flespi-Cid: +5"), errCID},
		{"cid leading zero", get("X-Flespi-Cid: 05"), errCID},
		{"cid list", get("X-Flespi-Cid: 5, 7"), errCID},
		{"cid 2^63-1", get("X-Flespi-Cid: 9223372036854775807"), nil},
		{"cid 2^63", get("X-Flespi-Cid: 9223372036854775808"), errCID},
		{"cid 2^64+5", get("X-Flespi-Cid: 18446744073709551621"), errCID},
		{"cid 19 nines", get("X-Flespi-Cid: 9999999999999999999"), errCID},
		{"app 64", get("X-Flespi-App: " + strings.Repeat("a", 64)), nil},
		{"app 65", get("X-Flespi-App: " + strings.Repeat("a", 65)), errApp},
		{"trace 31", get("X-Flespi-Trace: " + strings.Repeat("a", 31)), nil},
		{"trace 32", get("X-Flespi-Trace: " + strings.Repeat("a", 32)), errTrace},
	})
}

// Ensure that nothing replaces method or URL.
func TestOverrides(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"X-HTTP-Method-Override", get("X-HTTP-Method-Override: PUT"), errOverride},
		{"X-HTTP-Method", get("x-http-method: PUT"), errOverride},
		{"X-Method-Override", get("X-Method-Override: PUT"), errOverride},
		{"X-Original-URL", get("X-Original-URL: /"), errOverride},
		{"X-Rewrite-URL", get("X-Rewrite-URL: /"), errOverride},
		{"X_Rewrite_URL", get("X_Rewrite_URL: /"), errOverride},
	})
}

// Ensure that Connection takes no header away that was judged.
func TestConnectionHeader(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"Connection names cid", get("Connection: x-flespi-cid"), errConnection},
		{"Connection names Authorization", get("Connection: close, Authorization"), errConnection},
		{"the second Connection does", get("Connection:", "Connection: HOST"), errConnection},
		{"with underscore", get("Connection: content_length"), errConnection},
		{"Connection names TE header", get("Connection: transfer-encoding"), errConnection},
		{"Connection is no list", get("Connection: a b"), errConnection},
		{"Connection not ASCII", get("Connection: clos\xe9"), errConnection},
		{"Connection of browsers", get("Connection: keep-alive, Upgrade, HTTP2-Settings"), nil},
	})
}

// Ensure that bytes from 0x80 up are refused where a value is read for its meaning.
func TestOpaqueValues(t *testing.T) {
	checkFaults(t, Config{}, []faultRow{
		{"type not ASCII", put("Content-Length: 0", "Content-Type: \xe9"), errValue},
		{"Authorization is not judged", get("Authorization:  \xc0\xae"), nil},
	})
}

// Ensure that Host is one that is served, where that is said.
func TestHost(t *testing.T) {
	rows := []struct {
		host   string
		served *Fault
	}{
		{"gw.test", nil},
		{"GW.TEST", nil},
		{"gw.test:8080", nil},
		{"gw.test.", nil},
		{"other.test.", errMisrouted},
		{"other.test", errMisrouted},
		{"[::1]", nil},
		{"[::1]:80", nil},
		{"[::2]:80", errMisrouted},
	}
	bound := quietListener(t, Config{Hosts: []string{"Gw.test:443", "[::1]"}})
	for _, row := range rows {
		stream := "GET / HTTP/1.1\r\nHost: " + row.host + "\r\n\r\n"
		checkFaults(t, Config{}, []faultRow{{row.host, stream, nil}})
		if got := fault(bound, stream); got != row.served {
			t.Errorf("%q with hosts: got %v, want %v", row.host, got, row.served)
		}
	}
	checkFaults(t, Config{Hosts: []string{"not a host"}}, []faultRow{{"a setting that is no host", get(), errMisrouted}})
}

// Ensure that what is not host or host:digits is refused.
func TestMalformedHost(t *testing.T) {
	for _, host := range []string{
		"", ":80", "gw.test:", "gw.test:8x", "gw.test:123456", "u:p@gw.test", "u@gw.test", "gw.test, gw.test", "gw.test/x", "gw%2etest", "gw.test..", ".", ".:80", "[::1", "[12]", "[fe80::1%eth0]", "[::1]x", "\xc3\xa9",
	} {
		checkFaults(t, Config{}, []faultRow{{host, "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", errHost}})
	}
}
