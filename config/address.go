package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"aclgate/config/strict"
)

// Origin is a server as a URL names it, without path. The zero Origin is none.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // in lower case, with the port if the URL has one; IPv6 in brackets
}

// String returns the URL; "" for none.
func (o Origin) String() string {
	if o == (Origin{}) {
		return ""
	}
	return o.Scheme + "://" + o.Host
}

// name returns the host without port and brackets.
func (o Origin) name() string {
	u := url.URL{Host: o.Host}
	return u.Hostname()
}

// port returns the port that is connected to.
func (o Origin) port() string {
	u := url.URL{Host: o.Host}
	switch {
	case u.Port() != "":
		return u.Port()
	case o.TLS():
		return "443"
	}
	return "80"
}

// TLS reports whether the server is spoken to by TLS.
func (o Origin) TLS() bool { return o.Scheme == "https" }

// origin reads an http or https URL without path. It never shows the text, which may hold a
// password.
func origin(n *strict.Node) (Origin, bool) {
	text, ok := strict.Str(n)
	if !ok {
		return Origin{}, false
	}
	o, err := parseOrigin(text)
	if err != nil {
		n.Fault("expected a URL such as http://127.0.0.1:9000: %v", err)
	}
	return o, err == nil
}

// parseOrigin reads an http or https URL without path. Its errors never repeat the text.
func parseOrigin(text string) (Origin, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "http" && scheme != "https" {
		return Origin{}, errors.New("it begins with http:// or https://")
	}
	if strings.Contains(rest, "@") {
		return Origin{}, errors.New("it names no user: credentials belong into a file")
	}
	if strings.ContainsAny(rest, "/?#") {
		return Origin{}, errors.New("it ends with the host or the port, without / behind")
	}
	host, err := parseHost(rest, "1")
	if err != nil {
		return Origin{}, err
	}
	return Origin{Scheme: scheme, Host: host}, nil
}

// corsOrigin reads "*" or the origin of a web page, spelled as browsers send it: anything else
// would be compared with the Origin header for ever and never match.
func corsOrigin(n *strict.Node) (string, bool) {
	return strict.Parsed("* or an origin such as https://app.example.com", parseCORSOrigin)(n)
}

// parseCORSOrigin is corsOrigin for a text. Apps have schemes of their own (capacitor://localhost).
func parseCORSOrigin(text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	schemeChars := "abcdefghijklmnopqrstuvwxyz0123456789+.-"
	if !ok || scheme == "" || strings.Trim(scheme, schemeChars) != "" {
		return "", errors.New("it has the form scheme://host or scheme://host:port")
	}
	host, err := parseHost(rest, "1")
	switch {
	case err != nil:
		return "", err
	case host != rest:
		return "", errors.New("browsers spell it in lower case")
	case scheme == "http" && strings.HasSuffix(host, ":80"), scheme == "https" && strings.HasSuffix(host, ":443"):
		return "", errors.New("browsers leave the usual port out")
	}
	return text, nil
}

// address reads where to listen.
func address(n *strict.Node) (string, bool) { return strict.Parsed("host:port", parseAddress)(n) }

// parseAddress reads host:port; the port may be 0, the host may be missing.
func parseAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", errors.New("it has the form host:port, with brackets around IPv6")
	}
	if host == "" {
		return text, checkPort(port, "0")
	}
	return parseHost(text, "0")
}

// host reads the name of a host without port.
func host(n *strict.Node) (string, bool) {
	return strict.Parsed("a host such as gw.example.com", func(text string) (string, error) {
		if _, _, err := net.SplitHostPort(text); err == nil {
			return "", errors.New("it names no port")
		}
		return parseHost(text, "0")
	})(n)
}

// parseHost reads host or host:port, with a port from least on, and returns it in lower case.
func parseHost(text, least string) (string, error) {
	name := text
	if at := strings.LastIndexByte(text, ':'); at >= 0 && !strings.HasSuffix(text, "]") {
		if err := checkPort(text[at+1:], least); err != nil {
			return "", err
		}
		name = text[:at]
	}
	if v6, ok := strings.CutPrefix(name, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(v6, "]"))
		if err != nil || !a.Is6() || a.Zone() != "" || !strings.HasSuffix(v6, "]") {
			return "", errors.New("there is no IPv6 address in the brackets")
		}
		return strings.ToLower(text), nil
	}
	return strings.ToLower(text), checkName(name)
}

// checkPort reports why a port is none.
func checkPort(text, least string) error {
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil || strconv.FormatUint(v, 10) != text || least != "0" && v == 0 {
		return errors.New("the port is a number from " + least + " to 65535")
	}
	return nil
}

// checkName reports why a name is neither an IPv4 address nor a host name. Names may hold `_`, as
// those of containers do. A last label of digits makes an address (RFC 3986 3.2.2, and every
// resolver's own idea of 127.1), which then must be a whole one.
func checkName(name string) error {
	if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
		return nil
	}
	labels := strings.Split(strings.ToLower(name), ".")
	for _, label := range labels {
		odd := strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_")
		if label == "" || len(label) > 63 || odd != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("there is no host name in it")
		}
	}
	if len(name) > 253 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New("there is no host name in it")
	}
	return nil
}
