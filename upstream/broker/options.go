package broker

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"aclgate/config/tlsfiles"
)

// Options say which broker to speak to and how. There are no defaults here: the settings file has
// them.
type Options struct {
	// URL is mqtt://host[:port] or mqtts://host[:port]. With NAME@ before the host, NAME is the
	// user name and the credential the password; without it the credential is the user name.
	URL string

	// Credential returns the gateway's own. nil: each session uses the key of its caller.
	Credential func() string

	CAFile string // PEM; empty: the system's authorities

	Dial      time.Duration // to connect: look-up, TLS handshake and CONNACK included
	Write     time.Duration // a write without progress
	MaxPacket int           // the longest packet that is taken from the broker, in bytes
}

// Broker is the broker behind the gateway.
type Broker struct {
	options Options
	url     string // scheme://host:port, for logs
	address string
	host    string
	name    string // user name; empty: the credential is
	files   *tlsfiles.Reloader
}

// The ports of a url without one.
const (
	plainPort = "1883"
	tlsPort   = "8883"
)

// New returns the broker of the options. The error names every fault and no credential.
func New(o Options) (*Broker, error) {
	b := &Broker{options: o}
	err := errors.Join(
		b.parse(o.URL),
		positive(o.Dial > 0, "the time to dial"),
		positive(o.Write > 0, "the time to write"),
		positive(o.MaxPacket > 0, "the longest packet"),
	)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func positive(good bool, what string) error {
	if good {
		return nil
	}
	return fmt.Errorf("broker: %s must be positive", what)
}

// parse reads the url. Its text is in no error: somebody may have put a password there.
func (b *Broker) parse(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("broker: the url cannot be read")
	case u.Scheme != "mqtt" && u.Scheme != "mqtts":
		return errors.New("broker: the url must begin with mqtt:// or mqtts://")
	case u.Hostname() == "":
		return errors.New("broker: the url has no host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("broker: the url must end behind host and port")
	}
	if _, found := u.User.Password(); found {
		return errors.New("broker: a credential does not belong in the url but in the token file")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "mqtts":
		port = tlsPort
	default:
		port = plainPort
	}
	b.host, b.name = u.Hostname(), u.User.Username()
	b.address = net.JoinHostPort(b.host, port)
	b.url = u.Scheme + "://" + b.address
	if u.Scheme == "mqtt" {
		return nil
	}
	if b.files, err = tlsfiles.Client(tlsfiles.Files{CA: b.options.CAFile}); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	return nil
}
