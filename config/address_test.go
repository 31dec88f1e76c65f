package config

import (
	"strings"
	"testing"
)

// Ensure each reader of names and addresses accepts its grammar and nothing near it.
func TestGrammars(t *testing.T) {
	anyOrigin := func(text string) (string, error) {
		o, err := parseOrigin(text)
		return o.String(), err
	}
	rows := []struct {
		name  string
		parse func(string) (string, error)
		right string
		wrong string
	}{
		{"address", parseAddress, "127.0.0.1:8080 :8080 localhost:0 [::1]:80 0.0.0.0:65535 a-b.c:1",
			"8080 127.0.0.1 ::1:80 [::1] a:65536 a:-1 a:080 a:http a: : a:1:2 [a]:1 a/b:1 127.1:80 1.2.3.4.5:1 -a:1 a..b:1 [::1%eth0]:1 a@b:1 é:1"},
		{"origin", anyOrigin, "http://a https://a.b:8443 http://10.0.0.1 http://[::1]:9000 http://[::1] http://my_service:80",
			"a a:80 //a ftp://a HTTP://a http:// http://a/ http://a/b http://a?b http://a#b http://u@a http://u:p@a http://a:0 http://a: http://a: http://:80 " +
				"http://a%41 http://a\\b http://::1 http://[::1 http://1.2.3 http://a:1@b http://[::ffff:g] http:///a"},
		{"cors", parseCORSOrigin, "* https://a http://localhost:3000 capacitor://localhost http://a:443",
			"null https://A https://a/ https://a:443 http://a:80 a *.a https://*.a HTTPS://a ://a https://"},
		{"header", parseHeader, "x-custom accept-charset x_app range sec-fetch-mode",
			"Authorization HOST x-flespi-cid X_Flespi_Cid content-length content_type Content-Encoding transfer-encoding connection " +
				"expect upgrade te trailer keep-alive proxy-authorization Proxy_Connection x-forwarded-for X_Forwarded_Host x-http-method-override " +
				"X-HTTP-Method x-method-override x-original-url X_Rewrite_URL forwarded cookie x-real-ip x-aclgate-denied a:b é a/b"},
		{"query", parseQueryName, "filter a.b sort[by] Limit x-y", "cid CID data Token fields access_token a&b a=b a%20 é a+b a#b"},
	}
	for _, row := range rows {
		for text := range strings.FieldsSeq(row.right) {
			if got, err := row.parse(text); err != nil || got != text {
				t.Errorf("%s %s: got %q, %v", row.name, text, got, err)
			}
		}
		for text := range strings.FieldsSeq(row.wrong) {
			if got, err := row.parse(text); err == nil {
				t.Errorf("%s %s: got %q, want an error", row.name, text, got)
			}
		}
		if _, err := row.parse(""); err == nil {
			t.Errorf("%s: got no error for an empty text", row.name)
		}
	}
}

// Ensure a probe is a plain path.
func TestProbe(t *testing.T) {
	for _, text := range []string{`""`, "/", "/health", "/a/b.c", "/~a_-"} {
		if _, faults := Parse("f", []byte("upstream: {probe: "+text+"}")); len(faults) > 0 {
			t.Errorf("%s: got %v", text, faults)
		}
	}
	for _, text := range []string{"a", "//", "/a/", "/a//b", "/..", "/a/./b", "/a?b", "'/a b'", "/a%2f", `"/a\r\nX: y"`, "[]", "~"} {
		if _, faults := Parse("f", []byte("upstream: {probe: "+text+"}")); faults.Err() == nil {
			t.Errorf("%s: got no fault", text)
		}
	}
}

// Ensure long names are refused: no resolver accepts them.
func TestLongNames(t *testing.T) {
	for _, text := range []string{strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a"} {
		if _, err := parseHost(text, "0"); err == nil {
			t.Errorf("%.10s…: got no error for %d characters", text, len(text))
		}
	}
}
