package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"aclgate/config/tlsfiles"
)

// A client that comes over plain HTTP is sent to https by listen.redirect, is told by listen.hsts to
// stay there, and is served there; the plain listener drains with the others.
func TestRedirectAndHSTS(t *testing.T) {
	plain := freeAddr(t)
	s := newSite(t, siteOptions{
		listen: fmt.Sprintf(", redirect: %q, hsts: 720h, tls: {cert_file: cert.pem, key_file: cert.key}", plain),
		files:  pems(),
	})
	p := start(t, "serve", "-c", s.file())
	p.await(s.admin+"/readyz", 200)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: certPool()}, DisableKeepAlives: true}}
	for method, path := range map[string]string{"GET": "/gw/channels/2025?fields=id", "POST": "/gw/channels"} {
		resp, err := client.Transport.RoundTrip(newRequest(method, "http://"+plain+path))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		where := strings.Replace(s.api, "http:", "https:", 1) + path
		if resp.StatusCode != 308 || resp.Header.Get("Location") != where || resp.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s over plain HTTP: got %d to %q, want 308 to %q", method, resp.StatusCode, resp.Header.Get("Location"), where)
		}
	}
	resp, err := client.Do(newRequest("GET", "http://"+plain+"/gw/channels/2025?fields=id"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Strict-Transport-Security"); resp.StatusCode != 200 || got != "max-age=2592000" {
		t.Errorf("over https: got %d and hsts %q", resp.StatusCode, got)
	}
	end, err := tlsfiles.End(filepath.Join(s.folder, "cert.pem"))
	if got := s.series(`aclgate_certificate_expiry_seconds{setting="listen.tls.cert_file"}`); err != nil || got == "" {
		t.Errorf("got the end of the certificate %q, %v", got, err)
	} else if seconds, _ := strconv.ParseFloat(got, 64); int64(seconds) != end.Unix() {
		t.Errorf("got the end of the certificate %s, want %d", got, end.Unix())
	}
	if code := p.end(); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	if _, err := http.Get("http://" + plain); err == nil {
		t.Error("the plain listener is still there")
	}
}

func newRequest(method, url string) *http.Request {
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "FlespiToken "+validKey)
	return r
}
