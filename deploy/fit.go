package deploy

import (
	"bytes"
	"fmt"
)

// ComposeFor returns Compose with these ports published in the place of 8080 and 9090. They are what
// the gateway listens on in the container, each with the host to publish it on, or "" for all addresses.
func ComposeFor(host, port, adminHost, adminPort string) []byte {
	publish := func(host, port string) []byte {
		if host != "" {
			host += ":"
		}
		return fmt.Appendf(nil, "- %q", host+port+":"+port)
	}
	text := bytes.Replace(Compose, []byte(`- "8080:8080"`), publish(host, port), 1)
	return bytes.Replace(text, []byte(`- "127.0.0.1:9090:9090"`), publish(adminHost, adminPort), 1)
}

// SystemdUnitFor returns SystemdUnit. Where privileged is said, it may listen on ports below 1024.
func SystemdUnitFor(privileged bool) []byte {
	if !privileged {
		return SystemdUnit
	}
	text := SystemdUnit
	for _, line := range [][2]string{
		{"\nCapabilityBoundingSet=\n", "\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"},
		{"\nAmbientCapabilities=\n", "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"},
		{"\nPrivateUsers=yes\n", "\nPrivateUsers=no\n"},
		{"# A port below 1024 needs a drop-in: AmbientCapabilities=CAP_NET_BIND_SERVICE,\n# the same for CapabilityBoundingSet, and PrivateUsers=no.\n", "# It may listen on ports below 1024.\n"},
	} {
		text = bytes.Replace(text, []byte(line[0]), []byte(line[1]), 1)
	}
	return text
}
