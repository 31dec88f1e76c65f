package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"aclgate/bench/competitors"
	"aclgate/bench/report"
	"aclgate/bench/workload"
)

// unshared is what --rival calls the gateway itself on the same workload, where every device is its
// account's own: what access paths cost.
const unshared = "unshared"

// openRate is the rate of the open loop of a whole bench, per proxy.
const openRate = 5000

// play is one pair to measure.
type play struct {
	mix        string
	competitor *competitors.Competitor // nil: another aclgate, or the gateway alone
	binary     string                  // of the other aclgate; "": none
	unshared   bool                    // the other one is this aclgate, on a world in which nobody shares
	rate       float64
}

// Run measures every pair and returns the result. What was measured before an error is in it.
func Run(ctx context.Context, o Options) (*report.Result, error) {
	plays, roster, err := o.plays()
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	result := s.result("run")
	result.Competitors = roster
	defer func() { result.Took = time.Since(result.Started) }()
	o.Say("%s", report.TableHead)
	for _, p := range plays {
		if err := s.play(ctx, p, result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// result returns an empty result of this host.
func (s *rig) result(command string) *report.Result {
	return &report.Result{
		Schema: report.Schema, Command: command, Started: time.Now(), Seed: s.Seed, Host: s.host(),
		Figures: map[string]report.Figure{"leaks": {}, "wrong_denials": {}, "errors": {}},
	}
}

// plays returns the pairs to measure, and which competitors are here.
func (o *Options) plays() ([]play, []report.Competitor, error) {
	here, roster, err := o.found()
	if err != nil {
		return nil, nil, err
	}
	names := o.Mixes
	if len(names) == 0 {
		names = []string{"one-id", "all-rewrite", "long-lists", "deny-flood", "telematics", "messages", "hot-token", "cold-cache", "shared-one", "shared-list", "shared-all"}
	}
	var plays []play
	for i, name := range names {
		mix, err := workload.Open(name)
		if err != nil {
			return nil, nil, err
		}
		n := len(plays)
		for _, r := range here {
			// The mixes after the first four show how the gateway does, not the other proxies.
			if r.Can(mix) && (len(o.Mixes) > 0 || i < 4 || r.Name == "bare") {
				plays = append(plays, play{mix: name, competitor: r, rate: o.Rate})
			}
		}
		for _, binary := range o.binaries() {
			plays = append(plays, play{mix: name, binary: binary, rate: o.Rate})
		}
		if mix.Paths > 1 && (len(o.Competitors) == 0 || slices.Contains(o.Competitors, unshared)) {
			plays = append(plays, play{mix: name, unshared: true, rate: o.Rate})
		}
		if len(plays) == n {
			plays = append(plays, play{mix: name, rate: o.Rate})
		}
	}
	if bare, ok := competitors.Named("bare"); ok && len(o.Mixes) == 0 && o.Rate == 0 {
		plays = append(plays, play{mix: "one-id", competitor: bare, rate: openRate})
	}
	return plays, roster, nil
}

// Check returns what Run and its like would refuse of o before they measure anything: a name or a
// target that is none.
func (o *Options) Check(ctx context.Context) error {
	for _, name := range o.Mixes {
		if _, err := workload.Open(name); err != nil {
			return err
		}
	}
	if _, err := o.asked(); err != nil || o.Against == "" {
		return err
	}
	_, err := Target(ctx, o.Against, o.Mine)
	return err
}

// asked returns the competitors that were asked for, or all.
func (o *Options) asked() (asked []*competitors.Competitor, err error) {
	for _, name := range o.Competitors {
		if name == unshared {
			continue
		}
		if isBinary(name) {
			if _, err := os.Stat(name); err != nil {
				return nil, fmt.Errorf("cannot use another aclgate: %w", err)
			}
			continue
		}
		r, ok := competitors.Named(name)
		if !ok {
			return nil, fmt.Errorf("no rival is called %q; there are bare, nginx, lua, lua-set, lua-full, haproxy and unshared, and ./FILE is another aclgate", name)
		}
		asked = append(asked, r)
	}
	if len(o.Competitors) == 0 {
		asked = competitors.All()
	}
	return asked, nil
}

// isBinary reports whether the name of a competitor is the path of another aclgate.
func isBinary(name string) bool { return strings.Contains(name, "/") }

// binaries returns the other aclgates that were asked for.
func (o *Options) binaries() (paths []string) {
	for _, name := range o.Competitors {
		if isBinary(name) {
			paths = append(paths, name)
		}
	}
	return paths
}

// found returns the competitors that were asked for and are installed, and what there is to say of
// each.
func (o *Options) found() (here []*competitors.Competitor, roster []report.Competitor, err error) {
	asked, err := o.asked()
	if err != nil {
		return nil, nil, err
	}
	for _, r := range asked {
		version, err := r.Find()
		entry := report.Competitor{Name: r.Name, About: r.About, Version: version}
		if err != nil {
			entry.Missing = err.Error()
			o.Say("%s is left out: %v\n", r.Name, err)
		} else {
			here = append(here, r)
		}
		roster = append(roster, entry)
	}
	return here, roster, nil
}

// play measures one pair: the gateway and another proxy.
func (s *rig) play(ctx context.Context, p play, result *report.Result) error {
	w, err := s.workload(p.mix)
	if err != nil {
		return err
	}
	gateway, err := s.gateway(ctx, w)
	if err != nil {
		return err
	}
	defer gateway.stop()
	proxies := []*proxy{gateway}
	other, err := s.other(ctx, &p, w)
	if err != nil {
		return err
	}
	if other != nil {
		defer other.stop()
		proxies = append(proxies, other)
	}
	at := *s
	at.Rate = p.rate
	run, err := at.measure(ctx, w, proxies...)
	if err != nil {
		return errors.Join(err, output(proxies))
	}
	result.Add(run)
	s.Say("%s\n", run.Line())
	return nil
}

// other starts what the gateway is measured beside, nil for nothing.
func (s *rig) other(ctx context.Context, p *play, w *workload.Workload) (*proxy, error) {
	switch {
	case p.unshared:
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return s.gatewayOf(ctx, w.Unshared(), unshared, self)
	case p.binary != "":
		return s.gatewayOf(ctx, w, "other", p.binary)
	case p.competitor != nil:
		return s.competitor(ctx, p.competitor, w)
	}
	return nil, nil
}

// output returns what the children wrote, which says why a run broke off.
func output(proxies []*proxy) error {
	var errs []error
	for _, p := range proxies {
		if p.process != nil && p.process.Output() != "" {
			errs = append(errs, fmt.Errorf("%s: %s", p.name, p.process.Output()))
		}
	}
	return errors.Join(errs...)
}

// host describes this machine.
func (s *rig) host() report.Host {
	h := report.Host{
		Cores: runtime.NumCPU(), Go: runtime.Version(), Version: s.Version, ProxyCPU: s.proxyCPU, LoadCPU: s.loadCPU,
		Kernel: "unknown", CPU: "unknown",
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		h.Kernel, _, _ = strings.Cut(string(text), "\n")
	}
	h.Name, _ = os.Hostname() // a machine without a name is fine
	text, err := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); err == nil && found && strings.TrimSpace(name) == "model name" {
			h.CPU = strings.TrimSpace(value)
			break
		}
	}
	return h
}
