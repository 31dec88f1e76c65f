package jwt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aclgate/proxy/login/jwt"
	"aclgate/proxy/login/jwt/jwttest"
)

var now = time.Now()

// verifier verifies tokens of an issuer.
func verifier(i *jwttest.Issuer, withdrawn func(issuer, kid string)) *jwt.Verifier {
	roots := x509.NewCertPool()
	roots.AddCert(i.Certificate())
	if withdrawn == nil {
		withdrawn = func(string, string) {}
	}
	return jwt.New(jwt.Options{
		Issuers: []jwt.Issuer{jwt.NewIssuer("corp", i.URL, "", []string{"RS256", "ES256", "EdDSA"}, time.Hour)},
		Roots:   roots, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Withdrawn: withdrawn,
	})
}

// claims returns claims that are right, with replacements in turn.
func claims(i *jwttest.Issuer, replace ...string) string {
	text := fmt.Sprintf(`{"iss":%q,"sub":"anna","aud":"aclgate","iat":%d,"exp":%d}`, i.URL, now.Unix()-100, now.Unix()+600)
	return strings.NewReplacer(replace...).Replace(text)
}

const rs256 = `{"alg":"RS256","kid":"rsa","typ":"JWT"}`

// What an issuer has signed is accepted, with each algorithm.
func TestAccepted(t *testing.T) {
	i := jwttest.New(t)
	v := verifier(i, nil)
	for _, token := range []string{
		jwttest.Sign(t, i.RSA, rs256, claims(i)),
		jwttest.Sign(t, i.EC, `{"alg":"ES256","kid":"ec"}`, claims(i, `"aclgate"`, `["other","aclgate"]`)),
		jwttest.Sign(t, i.Ed, `{"alg":"EdDSA","kid":"ed","typ":"at+jwt"}`, claims(i, `"sub"`, fmt.Sprintf(`"nbf":%d,"groups":["a"],"sub"`, now.Unix()+30))),
		jwttest.Sign(t, i.RSA, rs256, claims(i, fmt.Sprint(now.Unix()+600), fmt.Sprint(now.Unix()-30))), // within the skew
		jwttest.Sign(t, i.RSA, rs256, claims(i, fmt.Sprint(now.Unix()+600), fmt.Sprintf("%d.5", now.Unix()+600))),
	} {
		c, err := v.Verify(context.Background(), []byte(token), now)
		if err != nil || c.Subject != "anna" || c.Issuer != "corp" || c.Audience[len(c.Audience)-1] != "aclgate" || c.KeyID == "" {
			t.Errorf("%s: got %+v, %v", token, c, err)
		}
		if !jwt.Looks([]byte(token)) {
			t.Errorf("%s does not look like one", token)
		}
	}
	if n := i.Fetched(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
}

// hostile are tokens that nobody may accept (RFC 8725).
func hostile(t *testing.T, i *jwttest.Issuer) map[string]string {
	good := jwttest.Sign(t, i.RSA, rs256, claims(i))
	parts := strings.Split(good, ".")
	header := func(h string) string { return jwttest.Sign(t, i.RSA, h, claims(i)) }
	with := func(replace ...string) string { return jwttest.Sign(t, i.RSA, rs256, claims(i, replace...)) }
	stranger, _ := rsa.GenerateKey(rand.Reader, 2048)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	der, _ := x509.MarshalPKIXPublicKey(i.RSA.Public())
	hs256 := func(key []byte) string {
		signed := jwttest.Part(`{"alg":"HS256","kid":"rsa"}`) + "." + parts[1]
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed))
		return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	exp, iat := fmt.Sprintf(`"exp":%d`, now.Unix()+600), fmt.Sprintf(`"iat":%d`, now.Unix()-100)
	return map[string]string{
		"alg none":                       jwttest.Part(`{"alg":"none"}`) + "." + parts[1] + ".",
		"alg None, signed":               header(`{"alg":"None","kid":"rsa"}`),
		"alg is missing":                 header(`{"kid":"rsa"}`),
		"HS256 with the public key":      hs256(der),
		"HS256 with the public key, PEM": hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HS256 with nothing":             hs256(nil),
		"RS384, which is not named":      header(`{"alg":"RS384","kid":"rsa"}`),
		"PS256 by a key for RS256":       header(`{"alg":"PS256","kid":"rsa"}`),
		"ES256 by an RSA key":            header(`{"alg":"ES256","kid":"rsa"}`),
		"RS256 by kid of an EC key":      header(`{"alg":"RS256","kid":"ec"}`),
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"a cut signature":                good[:len(good)-4],
		"another's signature":            jwttest.Sign(t, stranger, rs256, claims(i)),
		"a curve that nobody named":      jwttest.Sign(t, p384, `{"alg":"ES256","kid":"ec"}`, claims(i)),
		"other claims":                   parts[0] + "." + jwttest.Part(claims(i, "anna", "root")) + "." + parts[2],
		"another header":                 jwttest.Part(`{"alg":"RS256","kid":"rsa","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"kid traversal":                  header(`{"alg":"RS256","kid":"../../dev/null"}`),
		"kid injection":                  header(`{"alg":"RS256","kid":"rsa' OR 1=1 --"}`),
		"kid is a number":                header(`{"alg":"RS256","kid":1}`),
		"kid is huge":                    header(`{"alg":"RS256","kid":"` + strings.Repeat("k", 300) + `"}`),
		"no kid, several keys":           header(`{"alg":"RS256"}`),
		"crit":                           header(`{"alg":"RS256","kid":"rsa","crit":["exp"],"exp":1}`),
		"crit b64":                       header(`{"alg":"RS256","kid":"rsa","crit":["b64"],"b64":false}`),
		"jku":                            header(`{"alg":"RS256","kid":"rsa","jku":"https://evil.example/keys"}`),
		"jwk":                            header(`{"alg":"RS256","kid":"rsa","jwk":{"kty":"oct","k":"AA"}}`),
		"x5u":                            header(`{"alg":"RS256","kid":"rsa","x5u":"https://evil.example/cert"}`),
		"zip":                            header(`{"alg":"RS256","kid":"rsa","zip":"DEF"}`),
		"nested":                         jwttest.Sign(t, i.RSA, `{"alg":"RS256","kid":"rsa","cty":"JWT"}`, good),
		"nested without cty":             jwttest.Sign(t, i.RSA, rs256, good),
		"encrypted":                      jwttest.Part(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".a.b.c.d",
		"typ of something else":          header(`{"alg":"RS256","kid":"rsa","typ":"logout+jwt"}`),
		"a header twice":                 header(`{"alg":"RS256","kid":"rsa","alg":"none"}`),
		"a header twice, escaped":        header(`{"alg":"RS256","kid":"rsa","\u0061lg":"none"}`),
		"a claim twice":                  with(`"sub":"anna"`, `"sub":"anna","sub":"root"`),
		"a claim twice, escaped":         with(`"sub":"anna"`, `"sub":"anna","s\u0075b":"root"`),
		"another issuer":                 with(i.URL, "https://evil.example"),
		"the issuer with a slash":        with(i.URL, i.URL+"/"),
		"no issuer":                      with(`"iss"`, `"isz"`),
		"issuer is a list":               with(`"iss":"`+i.URL+`"`, `"iss":["`+i.URL+`"]`),
		"no sub":                         with(`"sub"`, `"sup"`),
		"sub is empty":                   with(`"anna"`, `""`),
		"sub is a number":                with(`"anna"`, `7`),
		"no aud":                         with(`"aud"`, `"audi"`),
		"aud is a number":                with(`"aclgate"`, `7`),
		"aud holds a number":             with(`"aclgate"`, `["aclgate",7]`),
		"no exp":                         with(exp, `"x":1`),
		"no iat":                         with(iat, `"x":1`),
		"exp is a string":                with(exp, fmt.Sprintf(`"exp":"%d"`, now.Unix()+600)),
		"exp is huge":                    with(exp, `"exp":1e300`),
		"exp is negative":                with(exp, `"exp":-1`),
		"expired":                        with(exp, fmt.Sprintf(`"exp":%d`, now.Unix()-61)),
		"issued in an hour":              with(iat, fmt.Sprintf(`"iat":%d`, now.Unix()+3600)),
		"not yet":                        with(iat, iat+fmt.Sprintf(`,"nbf":%d`, now.Unix()+120)),
		"nbf is a string":                with(iat, iat+`,"nbf":"now"`),
		"huge":                           with(iat, iat+`,"x":"`+strings.Repeat("x", 9000)+`"`),
		"deep":                           with(iat, iat+`,"x":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)),
		"claims are a list":              jwttest.Sign(t, i.RSA, rs256, `["anna"]`),
		"claims are no UTF-8":            with("anna", "an\xff"),
		"two values":                     jwttest.Sign(t, i.RSA, rs256, claims(i)+"{}"),
		"padding":                        parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"the standard alphabet":          parts[0] + "." + parts[1] + "+/." + parts[2],
		"four parts":                     good + ".x",
		"one part":                       parts[0],
		"empty parts":                    "eyJ..",
		"bits that nobody reads":         parts[0] + "." + parts[1][:len(parts[1])-1] + "_." + parts[2],
	}
}

// Nothing of a hostile token is accepted, and none of them makes the keys be read again and again.
func TestHostile(t *testing.T) {
	i := jwttest.New(t)
	v := verifier(i, nil)
	tokens := hostile(t, i)
	for range 2 {
		for name, token := range tokens {
			if c, err := v.Verify(context.Background(), []byte(token), now); err == nil {
				t.Errorf("%s: accepted as %+v", name, c)
			}
		}
	}
	if n := i.Fetched(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
	if _, err := v.Verify(context.Background(), []byte(jwttest.Sign(t, i.RSA, rs256, claims(i))), now); err != nil {
		t.Errorf("a good one among them: %v", err)
	}
}

// An issuer that misbehaves gives no keys; the last good ones stay.
func TestIssuersThatMisbehave(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"redirects": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		},
		"10 MB": func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.CopyN(w, zeros{}, 10<<20)
			return true
		},
		"fails":   func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(500); return true },
		"no JSON": func(w http.ResponseWriter, r *http.Request) bool { fmt.Fprint(w, "<html>"); return true },
		"no keys": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/keys" {
				return false
			}
			fmt.Fprint(w, `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"rsa"}]}`)
			return true
		},
		"plain HTTP": func(w http.ResponseWriter, r *http.Request) bool {
			fmt.Fprintf(w, `{"issuer":"https://%s","jwks_uri":"http://%s/keys"}`, r.Host, r.Host)
			return true
		},
		"another issuer": func(w http.ResponseWriter, r *http.Request) bool {
			fmt.Fprintf(w, `{"issuer":"https://evil.example","jwks_uri":"https://%s/keys"}`, r.Host)
			return true
		},
	} {
		i := jwttest.New(t)
		v := verifier(i, nil)
		good := []byte(jwttest.Sign(t, i.RSA, rs256, claims(i)))
		i.Answer(answer)
		if _, err := v.Verify(context.Background(), good, now); err == nil || !jwt.Unavailable(err) || !v.Failing()["corp"] {
			t.Errorf("%s: got %v, %v", name, err, v.Failing())
		}
		i.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// An issuer that hangs holds a request up for a moment, and no other one.
func TestIssuerThatHangs(t *testing.T) {
	i := jwttest.New(t)
	v := verifier(i, nil)
	hang := make(chan bool)
	i.Answer(func(w http.ResponseWriter, r *http.Request) bool { <-hang; return true })
	defer close(hang)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { _, err := v.Verify(ctx, []byte(jwttest.Sign(t, i.RSA, rs256, claims(i))), now); done <- err }()
	cancel()
	if err := <-done; !jwt.Unavailable(err) {
		t.Errorf("got %v", err)
	}
}

// A key that an issuer has withdrawn or changed is reported, and what it signs is refused from then on.
func TestWithdrawnKeys(t *testing.T) {
	i := jwttest.New(t)
	told := make(chan string, 10)
	v := verifier(i, func(issuer, kid string) { told <- issuer + " " + kid })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() { v.Run(ctx); close(done) }()
	good := []byte(jwttest.Sign(t, i.RSA, rs256, claims(i)))
	for {
		if _, err := v.Verify(ctx, good, now); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	i.SetKeys(jose.JSONWebKey{Key: other.Public(), KeyID: "rsa"}, jose.JSONWebKey{Key: i.EC.Public(), KeyID: "ec"})
	ctx, cancel = context.WithCancel(context.Background())
	done = make(chan bool)
	go func() { v.Run(ctx); close(done) }() // it begins with a reading
	seen := map[string]bool{<-told: true, <-told: true}
	cancel()
	<-done
	if !seen["corp rsa"] || !seen["corp ed"] {
		t.Errorf("got %v", seen)
	}
	if _, err := v.Verify(context.Background(), good, now); err == nil {
		t.Error("a key that was changed still signs")
	}
	if _, err := v.Verify(context.Background(), []byte(jwttest.Sign(t, other, rs256, claims(i))), now); err != nil {
		t.Errorf("the new key: %v", err)
	}
}

// BenchmarkHostile shows what a token costs that is not accepted.
func BenchmarkHostile(b *testing.B) {
	t := &testing.T{}
	i := jwttest.New(b)
	v := verifier(i, nil)
	_, _ = v.Verify(context.Background(), []byte(jwttest.Sign(t, i.RSA, rs256, claims(i))), now)
	for name, token := range hostile(t, i) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = v.Verify(context.Background(), []byte(token), now)
			}
		})
	}
}
