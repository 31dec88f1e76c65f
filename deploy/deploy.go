// Package deploy holds the files by which the gateway is run, for commands that write them out.
package deploy

import _ "embed" // of the files below

// SystemdUnit is the hardened unit of systemd.
//
//go:embed systemd/aclgate.service
var SystemdUnit []byte

// Compose is the file for docker compose.
//
//go:embed compose/compose.yaml
var Compose []byte
