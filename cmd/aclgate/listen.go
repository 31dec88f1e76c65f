package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"aclgate/config/tlsfiles"
	"aclgate/proxy"
	"aclgate/proxy/head"
)

// listen takes both addresses; before it returns nil nothing is served.
func (a *app) listen() error {
	var err error
	if a.public, err = net.Listen("tcp", a.settings.Listen.Address); err != nil {
		return cannotListen("listen.address", a.settings.Listen.Address, err)
	}
	if a.private, err = net.Listen("tcp", a.settings.Admin.Address); err != nil {
		a.public.Close()
		return cannotListen("admin.address", a.settings.Admin.Address, err)
	}
	ln, err := a.secure(a.public)
	if err != nil {
		a.public.Close()
		a.private.Close()
		return err
	}
	a.server = proxy.NewServer(a.gateway, ln, a.headConfig())
	return nil
}

// secure returns ln with TLS, where the settings want it.
func (a *app) secure(ln net.Listener) (net.Listener, error) {
	files := a.settings.Listen.TLS
	if !files.Cert.IsSet() {
		return ln, nil
	}
	r, err := tlsfiles.Server(tlsfiles.Files{CA: files.ClientCA.Path, Cert: files.Cert.Path, Key: files.Key.Path})
	if err != nil {
		return nil, err
	}
	a.tlsFault = r.Fault
	return tls.NewListener(ln, r.Listener()), nil
}

// cannotListen says why an address cannot be had. It wraps err.
func cannotListen(setting, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s %s is in use by another process (%w)", setting, address, syscall.EADDRINUSE)
	}
	return fmt.Errorf("cannot listen on %s: %w", setting, err)
}

func (a *app) headConfig() head.Config {
	l := a.settings.Listen
	return head.Config{
		MaxHeadBytes: l.MaxHeaderBytes, Hosts: l.Hosts, Chunked: l.Chunked == "accept",
		MaxConns: l.MaxConnections, MaxConnsPerIP: l.MaxConnectionsPerIP,
		Read: l.Timeouts.Read, Write: l.Timeouts.Write, Idle: l.Timeouts.Idle,
	}
}
