package main

import (
	"crypto/tls"
	"fmt"
	"net"

	"aclgate/proxy"
	"aclgate/proxy/head"
)

// listen takes both addresses; before it returns nil nothing is served.
func (a *app) listen() error {
	var err error
	if a.public, err = net.Listen("tcp", a.settings.Listen.Address); err != nil {
		return fmt.Errorf("cannot listen on listen.address: %w", err)
	}
	if a.private, err = net.Listen("tcp", a.settings.Admin.Address); err != nil {
		a.public.Close()
		return fmt.Errorf("cannot listen on admin.address: %w", err)
	}
	ln := a.public
	if files := a.settings.Listen.TLS; files.Cert.IsSet() {
		config, err := proxy.TLSConfig(
			proxy.TLSFiles{Cert: files.Cert.Path, Key: files.Key.Path, ClientCA: files.ClientCA.Path},
			func(err error) {
				a.log.Error("the TLS files changed and cannot be used: the old ones stay", "error", err)
			})
		if err != nil {
			a.public.Close()
			a.private.Close()
			return err
		}
		ln = tls.NewListener(ln, config)
	}
	a.server = proxy.NewServer(a.gateway, ln, a.headConfig())
	return nil
}

func (a *app) headConfig() head.Config {
	l := a.settings.Listen
	return head.Config{
		MaxHeadBytes: l.MaxHeaderBytes, Hosts: l.Hosts, Chunked: l.Chunked == "accept",
		MaxConns: l.MaxConnections, MaxConnsPerIP: l.MaxConnectionsPerIP,
		Read: l.Timeouts.Read, Write: l.Timeouts.Write, Idle: l.Timeouts.Idle,
	}
}
