package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxURLs is the number of urls that fit the set of those already tried.
const maxURLs = 64

// Options say which backend to speak to and how. There are no defaults here: the settings file has
// them.
type Options struct {
	URLs     []string // http://host[:port] or https://host[:port], without path; at most 64
	CAFile   string   // PEM; empty: the system's authorities
	CertFile string   // PEM, for endpoints that ask for a client certificate; with KeyFile
	KeyFile  string

	Dial      time.Duration // to connect, TLS handshake included
	FirstByte time.Duration // from the request written to the first byte of the final answer; its head; a request without progress
	Silence   time.Duration // an answer under way without progress
	Idle      time.Duration // an unused connection; less where the backend says so (Keep-Alive: timeout)

	// Marker is printed as x-aclgate-via into every request, so that whoever sees one come back knows
	// that it is going in circles (SPEC 2). Empty: none.
	Marker string

	MaxConns int           // open connections per url
	QueueMax int           // requests per url that wait for a connection; 0: none waits
	QueueFor time.Duration // how long each of them waits

	EjectFailures int           // consecutive failures that take a url out; 0: never
	EjectFor      time.Duration // for how long

	HealthCheck string // target of an active check of each url, such as "/"; empty: none

	Resolver *net.Resolver // of the hosts of the urls; nil: Go's own
	LookUp   time.Duration // how often it is asked; 0: every ten seconds
}

// validate returns every fault of the options.
func (o *Options) validate() error {
	var faults []error
	refuse := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New("upstream: "+text))
		}
	}
	refuse(len(o.URLs) == 0, "no url")
	refuse(len(o.URLs) > maxURLs, "more than 64 urls")
	refuse((o.CertFile == "") != (o.KeyFile == ""), "certificate and key go together: one of the files is missing")
	refuse(o.Dial <= 0, "the time to dial must be positive")
	refuse(o.FirstByte <= 0, "the time to the first byte must be positive")
	refuse(o.Silence <= 0, "the time of silence must be positive")
	refuse(o.Idle <= 0, "the idle time must be positive")
	refuse(!isToken([]byte(o.Marker)) && o.Marker != "", "the marker must be a token")
	refuse(o.MaxConns <= 0, "at least one connection is needed per url")
	refuse(o.QueueMax < 0 || o.QueueMax > 0 && o.QueueFor <= 0, "the queue needs a length and a time")
	refuse(o.EjectFailures < 0 || o.EjectFailures > 0 && o.EjectFor <= 0, "ejection needs a number and a time")
	refuse(o.LookUp < 0, "the time between two lookups must not be negative")
	refuse(o.HealthCheck != "" && !isTarget([]byte(o.HealthCheck)), "the probe must be a path that begins with /")
	return errors.Join(faults...)
}

// origin is one url taken apart.
type origin struct {
	url     string // scheme://authority, for logs and metrics
	host    string // the authority as written: the Host field
	address string // host:port to dial
	name    string // the host alone, which a certificate must be valid for
	secure  bool
}

// parseOrigins reads all urls and returns every fault. A fault names the url by its number: its
// text may hold a password.
func parseOrigins(urls []string) ([]origin, error) {
	var origins []origin
	var faults []error
	seen := map[origin]bool{}
	for i, text := range urls {
		o, err := parseOrigin(text)
		if err == nil && seen[o] {
			err = errors.New("is there twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("upstream: url number %d %w", i+1, err))
			continue
		}
		seen[o] = true
		origins = append(origins, o)
	}
	return origins, errors.Join(faults...)
}

// parseOrigin takes one url apart. Whatever it holds beyond an authority would have to be joined
// with the target of a request, and nothing is ever joined with a judged target.
func parseOrigin(text string) (origin, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return origin{}, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return origin{}, errors.New("must begin with http:// or https://")
	case u.User != nil:
		return origin{}, errors.New("holds user information: credentials come from files")
	case u.Path != "" && u.Path != "/", u.Opaque != "":
		return origin{}, errors.New("has a path: requests bring their own")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return origin{}, errors.New("has a query or fragment")
	case !isAuthority(u.Host) || u.Hostname() == "":
		return origin{}, errors.New("has no valid host")
	}
	port, err := portOf(u)
	if err != nil {
		return origin{}, err
	}
	o := origin{url: u.Scheme + "://" + u.Host, host: u.Host, name: u.Hostname(), secure: u.Scheme == "https"}
	o.address = net.JoinHostPort(o.name, port)
	return o, nil
}

// portOf returns the port to dial.
func portOf(u *url.URL) (string, error) {
	port := u.Port()
	switch {
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return "", errors.New("has an empty port")
	case port == "" && u.Scheme == "https":
		return "443", nil
	case port == "":
		return "80", nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("has a port out of range")
	}
	return port, nil
}

// isAuthority reports whether host can be printed as the value of Host. Names beyond ASCII are to
// be written in their punycode form.
func isAuthority(host string) bool {
	for _, c := range []byte(host) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && !strings.ContainsRune("-._:[]", rune(c)) {
			return false
		}
	}
	return host != ""
}
