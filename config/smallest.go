package config

import "strconv"

// Smallest returns the smallest useful settings file, with comments, for the backend at the URL
// upstream and the key file tokenFile ("" for none). The values are quoted, not checked: Parse does
// that.
func Smallest(upstream, tokenFile string, mode ScopeMode) []byte {
	text := `# The settings of aclgate: only what differs from the defaults needs a line.
# "aclgate check" reads this file and names every fault in it.
listen: {address: 127.0.0.1:8080}   # where clients connect
admin: {address: 127.0.0.1:9090}    # /metrics, /healthz, /readyz: never the public listener
upstream:
  urls: [` + quoted(upstream) + `]
  token_file: ` + quoted(tokenFile) + `   # holds the gateway's own credential; "": the caller's own is passed on
scope: {mode: ` + quoted(string(mode)) + `}   # none: one account; header: the backend keeps accounts apart; ids: the gateway does
store: {kind: file, path: policy.yaml}   # accounts and tokens
`
	return []byte(text)
}

// quoted returns text in double quotes, with the escapes of Go, all of which are YAML's too.
func quoted(text string) string { return strconv.QuoteToASCII(text) }
