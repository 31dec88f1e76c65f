package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// Target returns the address of a URL such as http://127.0.0.1:8080. It has to be one of this
// machine unless mine says that the caller may load another: what the bench sends takes a service
// down. Every address of a name must be loopback, and the one returned is dialled; the name is not
// looked up again.
func Target(ctx context.Context, against string, mine bool) (netip.AddrPort, error) {
	u, err := url.Parse(against)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" {
		return netip.AddrPort{}, fmt.Errorf("%q is no target: expected http://HOST:PORT", against)
	}
	port := 80
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil || port < 1 || port > 65535 {
			return netip.AddrPort{}, fmt.Errorf("%q has no port from 1 to 65535", against)
		}
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}, fmt.Errorf("cannot find %s: %w", u.Hostname(), err)
	}
	for _, a := range addrs {
		if !a.Unmap().IsLoopback() && !mine {
			return netip.AddrPort{}, errors.New(against + " is not on this machine: a bench takes a service down; with --i-own-this-target it goes on")
		}
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)), nil
}
