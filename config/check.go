package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"aclgate/config/strict"
)

// maxURLs is how many URLs one backend may have: what chooses among them keeps them in one word.
const maxURLs = 64

// check reports faults that take more than one setting to see, at the setting that should change.
func (s *Settings) check(report *strict.Report) {
	s.checkListeners(report)
	s.checkLoop(report)
	if len(s.Upstream.URLs) > maxURLs {
		s.fault(report, "upstream.urls", "more than "+strconv.Itoa(maxURLs)+" URLs")
	}
	s.checkTLS(report)
	s.checkScope(report)
	s.checkLimits(report)
	s.checkMQTT(report)
	s.checkStore(report)
	s.checkMetrics(report)
	if len(s.Listen.CORS.Origins) > 1 && slices.Contains(s.Listen.CORS.Origins, "*") {
		s.warn(report, "listen.cors.origins", "* allows every origin: the others have no effect")
	}
	if s.Policy.BackendKeys == BackendKeysForward {
		s.warn(report, "policy.backend_keys", "master tokens can list and issue keys of the backend, which go around the gateway")
	}
	if !s.Policy.Enforce {
		s.warn(report, "policy.enforce", "acl tokens are judged as standard ones: their entries are not enforced")
	}
}

// checkListeners refuses two listeners at one address. One that is behind another would be found by
// everyone or, at random, not at all; of all, the admin listener must not be found so.
func (s *Settings) checkListeners(report *strict.Report) {
	all := []struct{ path, what, address string }{
		{"listen.address", "public", s.Listen.Address},
		{"listen.redirect", "redirecting", s.Listen.Redirect},
		{"admin.address", "admin", s.Admin.Address},
		{"mqtt.address", "MQTT", s.MQTT.Address},
		{"mqtt.ws_address", "WebSocket", s.MQTT.WSAddress},
	}
	for i, second := range all {
		for _, first := range all[:i] {
			if overlap(first.address, second.address) {
				s.fault(report, s.named(second.path, first.path),
					"the "+first.what+" and the "+second.what+" listener are at one address: take another port")
			}
		}
	}
}

// overlap reports whether two addresses, of which any may be empty, could be one.
func overlap(a, b string) bool {
	host, port, _ := net.SplitHostPort(a)
	other, otherPort, _ := net.SplitHostPort(b)
	return a != "" && b != "" && port != "0" && port == otherPort &&
		(host == other || isEverywhere(host) || isEverywhere(other))
}

// checkLoop refuses a gateway that is its own backend: each request would be forwarded to itself.
// Names are not looked up, but for localhost; what they lead to is found by the hop marker.
func (s *Settings) checkLoop(report *strict.Report) {
	host, port, _ := net.SplitHostPort(s.Listen.Address)
	for i, o := range s.Upstream.URLs {
		if port != "0" && port == o.port() && reaches(o.name(), host) {
			s.fault(report, "upstream.urls", "URL number "+strconv.Itoa(i+1)+" is this gateway itself (listen.address): name the backend")
		}
	}
}

// reaches reports whether a connection to host certainly ends at a listener on address.
func reaches(host, address string) bool {
	if host == "localhost" {
		host = "127.0.0.1"
	}
	to, err := netip.ParseAddr(host)
	if err != nil {
		return host != "" && strings.EqualFold(host, address)
	}
	to = to.Unmap()
	local := to.IsLoopback() || to.IsUnspecified() // the latter is this machine, too
	if isEverywhere(address) {
		return local || isOwnAddress(to)
	}
	at, err := netip.ParseAddr(address)
	if address == "localhost" {
		at, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	return err == nil && (at.Unmap() == to || to.IsUnspecified() && at.IsLoopback())
}

// isOwnAddress reports whether an interface of this machine has the address.
func isOwnAddress(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(all, func(own net.Addr) bool {
		p, err := netip.ParsePrefix(own.String())
		return err == nil && p.Addr().Unmap() == a
	})
}

// isEverywhere reports whether a listener on host accepts connections to every address.
func isEverywhere(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}

// checkTLS refuses halves of a pair, which would listen in clear text without a word.
func (s *Settings) checkTLS(report *strict.Report) {
	in, out := s.Listen.TLS, s.Upstream.TLS
	s.checkPair(report, "listen.tls.", in.Cert, in.Key)
	s.checkPair(report, "upstream.tls.", out.Cert, out.Key)
	if in.ClientCA.IsSet() && !in.Cert.IsSet() && !in.Key.IsSet() {
		s.fault(report, "listen.tls.client_ca_file", "clients show certificates over TLS only: set cert_file and key_file")
	}
	for path, is := range map[string]bool{"listen.redirect": s.Listen.Redirect != "", "listen.hsts": s.Listen.HSTS != 0} {
		if is && !in.Cert.IsSet() {
			s.fault(report, path, "there is no https to go to: set listen.tls.cert_file and key_file")
		}
	}
	if public := s.Listen.PublicURL; s.Listen.Redirect != "" && public != (Origin{}) && !public.TLS() {
		s.fault(report, "listen.redirect", "listen.public_url, to which it sends clients, does not begin with https://")
	}
	if s.Listen.HSTS%time.Second != 0 {
		s.fault(report, "listen.hsts", "counts whole seconds")
	}
	isClear := !slices.ContainsFunc(s.Upstream.URLs, Origin.TLS)
	for path, f := range map[string]File{"ca_file": out.CA, "cert_file": out.Cert} {
		if isClear && f.IsSet() {
			s.warn(report, "upstream.tls."+path, "has no effect: no URL begins with https://")
		}
	}
}

// checkPair refuses a certificate without key and a key without certificate.
func (s *Settings) checkPair(report *strict.Report, section string, cert, key File) {
	switch {
	case cert.IsSet() && !key.IsSet():
		s.fault(report, section+"cert_file", "needs key_file beside it")
	case key.IsSet() && !cert.IsSet():
		s.fault(report, section+"key_file", "needs cert_file beside it")
	}
}

// checkStore gives a database its own default name, and refuses what only another kind of store has,
// where it would mean nothing.
func (s *Settings) checkStore(report *strict.Report) {
	c := &s.Store
	if reveal := s.Platform.Keys == KeysReveal; reveal != s.Platform.KeysFile.IsSet() {
		s.fault(report, "platform.keys_file", "platform.keys reveal needs it, and nothing else does")
	}
	if c.Kind == StoreSQLite && s.Pos("store.path").Line == 0 {
		c.Path = File{Text: sqliteName, Path: filepath.Join(s.dir, sqliteName)}
	}
	for _, only := range []struct {
		path  string
		is    bool
		kinds []StoreKind
	}{
		{"store.path", s.isNamed("store.path"), []StoreKind{StoreFile, StoreSQLite}},
		{"store.url_file", c.URL.IsSet(), []StoreKind{StorePostgres}},
		{"store.admin_url_file", c.AdminURL.IsSet(), []StoreKind{StorePostgres}},
		{"store.poll", c.Poll != defaultPoll, []StoreKind{StorePostgres}},
		{"store.replica", c.Replica != "", []StoreKind{StorePostgres}},
		{"store.max_staleness", c.MaxStaleness != 2*time.Minute, []StoreKind{StoreSQLite, StorePostgres}},
		{"platform.keys", s.Platform.Keys == KeysReveal, []StoreKind{StoreSQLite, StorePostgres}},
		{"store.history", c.History != 90*day, []StoreKind{StoreSQLite, StorePostgres}},
	} {
		if only.is && !slices.Contains(only.kinds, c.Kind) {
			s.fault(report, only.path, fmt.Sprintf("store.kind %s has none: this is for %s", c.Kind, kindNames(only.kinds)))
		}
	}
	if c.Kind != StorePostgres {
		return
	}
	if !c.URL.IsSet() {
		s.fault(report, "store.kind", "postgres needs store.url_file, a file with the DSN of a login that reads")
	}
	if c.MaxStaleness < 20*c.Poll {
		s.fault(report, s.named("store.max_staleness", "store.poll"), "the bound (max_staleness) has to be at least 20 polls (poll)")
	}
}

// defaultPoll is the default of store.poll.
const defaultPoll = 100 * time.Millisecond

func kindNames(kinds []StoreKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, " and ")
}

// sqliteName is the default of store.path for a database.
const sqliteName = "aclgate.db"

// checkScope refuses an index that is too old before it is read again, and warns of one that is
// read without a credential.
func (s *Settings) checkScope(report *strict.Report) {
	if s.Scope.MaxStaleness < s.Scope.Refresh {
		path := s.named("scope.max_staleness", "scope.refresh")
		s.fault(report, path, "the index would be too old (max_staleness) before it is read again (refresh)")
	}
	if s.Scope.Mode == ScopeNone && s.Scope.Accounts == AccountsBackend {
		s.fault(report, s.named("scope.mode", "scope.accounts"), "none is for one account, which the policy names: leave scope.accounts at policy")
	}
	switch ours := s.Scope.Owners == OwnersStore; {
	case ours && s.Scope.Mode != ScopeIDs:
		s.fault(report, s.named("scope.owners", "scope.mode"), "store is for backends that know no accounts: set scope.mode: ids")
	case ours && s.Scope.Accounts == AccountsBackend:
		s.fault(report, s.named("scope.owners", "scope.accounts"), "store is for backends that know no accounts: leave scope.accounts at policy")
	case !ours && s.Scope.Unowned != 0:
		s.fault(report, "scope.unowned", "has no effect without scope.owners: store")
	}
	if s.Scope.Mode.index() && !s.Upstream.Token.IsSet() {
		s.warn(report, "scope.mode", "the item index is read from the backend without a credential: upstream.token_file is empty")
	}
}

// checkLimits warns of bursts that nothing refills.
func (s *Settings) checkLimits(report *strict.Report) {
	rows := []struct {
		path  string
		limit Limit
	}{
		{"limits.per_token.burst", s.Limits.PerToken.Limit},
		{"limits.per_account.burst", s.Limits.PerAccount.Limit},
		{"limits.unauthenticated.burst", s.Limits.Unauthenticated},
	}
	for _, row := range rows {
		if s.isNamed(row.path) && row.limit.Burst > 0 && row.limit.Rate == (strict.Rate{}) {
			s.warn(report, row.path, "has no effect without a rate")
		}
	}
	l, kind := &s.Limits, s.Store.Kind
	switch {
	case l.Shared == SharedStore && kind == StoreSQLite:
		s.fault(report, "limits.shared", "a SQLite database has one gateway, so there is nobody to share with: use none")
	case l.Shared == SharedStore && kind != StorePostgres:
		s.fault(report, "limits.shared", "store needs store.kind postgres: gateways with a policy file know nothing of each other; use redis, or none")
	case l.Shared == SharedRedis && !l.RedisURL.IsSet():
		s.fault(report, "limits.shared", "redis needs limits.redis_url_file, a file with the URL of a Redis")
	case l.Shared != SharedRedis && l.RedisURL.IsSet():
		s.fault(report, "limits.redis_url_file", "is for limits.shared redis")
	}
}

// isNamed reports whether the file has a value for the setting of that path.
func (s *Settings) isNamed(path string) bool { return s.Pos(path) != (strict.Pos{}) }

// named returns the first path, or the second if the file has a value for that one alone: of two
// settings that do not fit, a fault is reported at one that is in the file.
func (s *Settings) named(first, second string) string {
	if !s.isNamed(first) && s.isNamed(second) {
		return second
	}
	return first
}

// fault reports what makes the setting of that path unusable together with another.
func (s *Settings) fault(report *strict.Report, path, message string) {
	report.Fault(s.Pos(path), "%s: %s", path, message)
}

// warn reports what is legal and probably not meant.
func (s *Settings) warn(report *strict.Report, path, message string) {
	report.Warn(s.Pos(path), "%s: %s", path, message)
}
