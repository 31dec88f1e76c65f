package head

import (
	"strings"
	"testing"
)

// Ensure that no header of identity or framing comes in two readings.
func TestProtectedHeaders(t *testing.T) {
	rows := []struct {
		name, stream string
		want         *Fault
	}{
		{"two Authorization", get("Authorization: a", "authorization: b"), errTwice},
		{"two x-flespi-cid", get("X-Flespi-Cid: 1", "x-flespi-cid: 1"), errTwice},
		{"two Content-Length", put("Content-Length: 0", "Content-Length: 0"), errTwice},
		{"two Content-Type", put("Content-Length: 0", "Content-Type: a", "Content-Type: a"), errTwice},
		{"two Content-Encoding", put("Content-Length: 0", "Content-Encoding: a", "Content-Encoding: a"), errTwice},
		{"two Expect", get("Expect: 100-continue", "Expect: 100-continue"), errTwice},
		{"two Origin", get("Origin: a", "Origin: a"), errTwice},
		{"two Host", get("Host: a"), errTwice},
		{"two of another", get("Accept: a", "Accept: b"), nil},

		{"underscore", get("X_Flespi_Cid: 1"), errUnderscore},
		{"one underscore", get("X-Flespi_Cid: 1"), errUnderscore},
		{"framing with underscore", put("Transfer_Encoding: chunked", "Content-Length: 0"), errUnderscore},
		{"length with underscore", put("content_LENGTH: 0"), errUnderscore},
		{"type with underscore", get("Content_Type: a"), errUnderscore},
		{"underscore elsewhere", get("X_Forwarded_For: a", "x_flespi_app: "+strings.Repeat("a", 99)), nil},

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

		{"X-HTTP-Method-Override", get("X-HTTP-Method-Override: PUT"), errOverride},
		{"X-HTTP-Method", get("x-http-method: PUT"), errOverride},
		{"X-Method-Override", get("X-Method-Override: PUT"), errOverride},
		{"X-Original-URL", get("X-Original-URL: /"), errOverride},
		{"X-Rewrite-URL", get("X-Rewrite-URL: /"), errOverride},
		{"X_Rewrite_URL", get("X_Rewrite_URL: /"), errOverride},

		{"Connection names cid", get("Connection: x-flespi-cid"), errConnection},
		{"Connection names Authorization", get("Connection: close, Authorization"), errConnection},
		{"the second Connection does", get("Connection:", "Connection: HOST"), errConnection},
		{"with underscore", get("Connection: content_length"), errConnection},
		{"Connection names TE header", get("Connection: transfer-encoding"), errConnection},
		{"Connection is no list", get("Connection: a b"), errConnection},
		{"Connection not ASCII", get("Connection: clos\xe9"), errConnection},
		{"Connection of browsers", get("Connection: keep-alive, Upgrade, HTTP2-Settings"), nil},

		{"type not ASCII", put("Content-Length: 0", "Content-Type: \xe9"), errValue},
		{"Authorization is not judged", get("Authorization:  \xc0\xae"), nil},
	}
	l := quietListener(t, Config{})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := fault(l, row.stream); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

// Ensure that Host is host or host:digits, and one that is served.
func TestHost(t *testing.T) {
	rows := []struct {
		host          string
		any, gwServed *Fault
	}{
		{"gw.test", nil, nil},
		{"GW.TEST", nil, nil},
		{"gw.test:8080", nil, nil},
		{"gw.test.", nil, errMisrouted},
		{"other.test", nil, errMisrouted},
		{"[::1]", nil, nil},
		{"[::1]:80", nil, nil},
		{"[::2]:80", nil, errMisrouted},
		{"", errHost, errHost},
		{":80", errHost, errHost},
		{"gw.test:", errHost, errHost},
		{"gw.test:8x", errHost, errHost},
		{"gw.test:123456", errHost, errHost},
		{"u:p@gw.test", errHost, errHost},
		{"u@gw.test", errHost, errHost},
		{"gw.test, gw.test", errHost, errHost},
		{"gw.test/x", errHost, errHost},
		{"gw%2etest", errHost, errHost},
		{"[::1", errHost, errHost},
		{"[12]", errHost, errHost},
		{"[fe80::1%eth0]", errHost, errHost},
		{"[::1]x", errHost, errHost},
		{"\xc3\xa9", errHost, errHost},
	}
	open := quietListener(t, Config{})
	bound := quietListener(t, Config{Hosts: []string{"Gw.test:443", "[::1]"}})
	for _, row := range rows {
		stream := "GET / HTTP/1.1\r\nHost: " + row.host + "\r\n\r\n"
		if got := fault(open, stream); got != row.any {
			t.Errorf("%q: got %v, want %v", row.host, got, row.any)
		}
		if got := fault(bound, stream); got != row.gwServed {
			t.Errorf("%q with hosts: got %v, want %v", row.host, got, row.gwServed)
		}
	}
	if got := fault(quietListener(t, Config{Hosts: []string{"not a host"}}), get()); got != errMisrouted {
		t.Errorf("got %v for a setting that is no host, want %v", got, errMisrouted)
	}
}
