package tlsfiles

import (
	"crypto/x509"
	"errors"
	"fmt"
)

// Explain adds to the error of a handshake, where an authority is not known that signed the peer's
// certificate, which setting names a file with it.
func Explain(err error, setting string) error {
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return fmt.Errorf("%w: if that authority is your own, %s names a PEM file with its certificate", err, setting)
	}
	return err
}
