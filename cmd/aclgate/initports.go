package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"aclgate/config"
	"aclgate/deploy"
)

// addresses says what is wrong with those to listen on. A port has to be said: whoever is to connect has
// to know it.
func (f *initFlags) addresses() error {
	for flag, text := range map[string]string{"listen": f.listen, "admin-listen": f.control} {
		if text == "" {
			continue
		}
		if err := addressFlag(flag, text); err != nil {
			return err
		}
		if host, _ := hostPort(text); f.compose && host != "" && net.ParseIP(host) == nil {
			return fmt.Errorf("--%s: with --compose expected an IP address before the port, or none: docker publishes a port on no name such as %q", flag, host)
		}
	}
	return nil
}

// refused says which flag makes settings that cannot be used.
func (f *initFlags) refused(file string, start config.Start) error {
	_, faults := config.Parse(file, config.Smallest(start))
	if faults.Err() == nil {
		return nil
	}
	for _, fault := range faults {
		switch {
		case strings.Contains(fault.Message, "take another port"):
			return errors.New("--listen and --admin-listen: " + fault.Message)
		case strings.Contains(fault.Message, "this gateway itself"):
			return fmt.Errorf("--upstream %q is where the gateway itself would listen: name the backend, or another address with --listen", f.url)
		}
	}
	return fmt.Errorf("--upstream %q cannot be used: expected http://HOST:PORT or https://HOST:PORT, without a path", f.url)
}

// hostPort divides an address that addresses has seen.
func hostPort(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address)
	return host, port
}

// isPrivileged reports whether only a privileged process may listen there.
func isPrivileged(address string) bool {
	_, port := hostPort(address)
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 1024
}

// composeFile returns the file for docker compose with the ports that are said. The admin listener is
// published on loopback unless an address says otherwise.
func (f *initFlags) composeFile() []byte {
	host, port := hostPort(cmp.Or(f.listen, ":8080"))
	adminHost, adminPort := hostPort(cmp.Or(f.control, ":9090"))
	return deploy.ComposeFor(bracketed(host), port, bracketed(cmp.Or(adminHost, "127.0.0.1")), adminPort)
}

// bracketed returns a host as it stands before a colon.
func bracketed(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}
