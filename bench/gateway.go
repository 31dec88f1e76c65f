package bench

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"aclgate/bench/workload"
)

// settings are those of a gateway with everything on that costs: limits that are counted and never
// reached, records, metrics. The backend does not obey x-flespi-cid, so that look is skipped.
const settings = `listen: {address: %q, max_connections: 20000}
admin: {address: %q, token_file: admin.token}
upstream: {urls: ["http://%s"], token_file: upstream.token%s}
scope: {%s}
store: {kind: file, path: policy.json}
%slimits:
  per_token: {rate: 1000000/s, burst: 1000000, concurrent: 100000}
  per_account: {rate: 1000000/s, burst: 1000000, concurrent: 100000}
  unauthenticated: {rate: 1000000/s, burst: 1000000}
log: {level: error, format: json}
shutdown: {delay: 0s, drain: 1s}
`

// adminKey opens the admin listener of the bench's own gateway, which is on loopback and
// short-lived.
const adminKey = "bench-admin-credential"

// gatewayFiles says where a gateway listens and whom it asks.
type gatewayFiles struct {
	dir                    string
	listen, admin, backend netip.AddrPort
}

// write writes what `serve -c` reads.
func (g gatewayFiles) write(w *workload.Workload) error {
	url, cache, scope := "", "", "mode: header, trust_header: true"
	if w.Mix.Paths > 0 {
		scope = "mode: ids, owners: store"
	}
	if w.Mix.MaxURL > 0 {
		url = fmt.Sprintf(", max_url_bytes: %d", w.Mix.MaxURL)
	}
	if w.Mix.Cache > 0 {
		cache = fmt.Sprintf("cache: {max_bytes: %d}\n", w.Mix.Cache)
	}
	for name, text := range map[string]string{
		"aclgate.yaml":   fmt.Sprintf(settings, g.listen, g.admin, g.backend, url, scope, cache),
		"upstream.token": strings.Repeat("u", 64) + "\n",
		"admin.token":    adminKey + "\n",
	} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return writePolicy(filepath.Join(g.dir, "policy.json"), w, nil)
}

// writePolicy replaces the policy file by rename, as a careful editor does.
func writePolicy(path string, w *workload.Workload, without map[int]bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), "policy-*")
	if err != nil {
		return err
	}
	if err := w.WritePolicy(f, without); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// WriteWorkload writes settings and policy of a mix into dir, for a gateway that is started
// elsewhere and `--against` then measures.
func WriteWorkload(dir string, mix *workload.Mix, seed uint64) error {
	return gatewayFiles{
		dir:     dir,
		listen:  netip.MustParseAddrPort("127.0.0.1:8080"),
		admin:   netip.MustParseAddrPort("127.0.0.1:9090"),
		backend: netip.MustParseAddrPort("127.0.0.1:9000"),
	}.write(workload.New(mix, seed))
}
