package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"aclgate/bench/child"
	"aclgate/bench/competitors"
	"aclgate/bench/report"
	"aclgate/bench/sys"
	"aclgate/bench/workload"
)

// memoryLimit bounds this process while the collector is off.
const memoryLimit = 1 << 30

// rig is what all runs of a bench share: cores, a folder, the backend, workloads.
type rig struct {
	Options
	dir       string
	proxyCPU  int   // of what is measured
	cpus      []int // all that this process had
	proxies   []int // the cores that the proxies get: proxyCPU, or all
	loadCPU   int   // of the generator, which is this process
	backCPU   int   // of the backend: a third core, or the generator's
	backend   netip.AddrPort
	target    netip.AddrPort // of Against
	process   *child.Process // the backend
	workloads map[string]*workload.Workload
}

// open starts the backend and pins this process to a core of its own.
func open(ctx context.Context, o Options) (*rig, error) {
	s := &rig{Options: o, workloads: map[string]*workload.Workload{}}
	if o.Against != "" {
		var err error
		if s.target, err = Target(ctx, o.Against, o.Mine); err != nil {
			return nil, err
		}
	}
	cpus, err := sys.CPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) < 2 {
		return nil, errors.New("the bench needs two cores: one for what is measured, one for what measures")
	}
	s.proxyCPU, s.loadCPU, s.backCPU = cpus[len(cpus)-1], cpus[0], cpus[min(1, len(cpus)-2)]
	s.cpus, s.proxies = cpus, []int{s.proxyCPU}
	if s.dir, err = os.MkdirTemp("", "aclgate-bench-"); err != nil {
		return nil, err
	}
	if err = sys.PinAll(s.loadCPU); err == nil {
		s.process, err = s.startBackend(ctx, "backend", "--listen")
	}
	if err != nil {
		s.close()
		return nil, err
	}
	// Nothing is allocated per request; what the oracle leaves may wait until a run is over.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	return s, nil
}

// startBackend starts one of this program's own backends; its address is the last argument.
func (s *rig) startBackend(ctx context.Context, args ...string) (*child.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.backend, err = freePort(); err != nil {
		return nil, err
	}
	argv := append(append([]string{self, "bench"}, args...), s.backend.String())
	p, err := child.Start("the backend", []int{s.backCPU}, argv)
	if err != nil {
		return nil, err
	}
	return p, p.WaitFor(ctx, s.backend)
}

func (s *rig) close() {
	if s.process != nil {
		s.process.Stop()
	}
	os.RemoveAll(s.dir)
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(math.MaxInt64)
}

// workload returns the workload of a mix, made once.
func (s *rig) workload(name string) (*workload.Workload, error) {
	if w := s.workloads[name]; w != nil {
		return w, nil
	}
	mix, err := workload.Open(name)
	if err != nil {
		return nil, err
	}
	// One workload at a time: they are large, and runs go mix by mix.
	clear(s.workloads)
	runtime.GC()
	s.workloads[name] = workload.New(mix, s.Seed)
	return s.workloads[name], nil
}

// alone runs a bench of the gateway alone, on one mix. What was measured before an error is in the
// result.
func alone(ctx context.Context, o Options, command, mix string, run func(*rig, *workload.Workload, *proxy, *report.Result) error) (*report.Result, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	result := s.result(command)
	w, err := s.workload(mix)
	if err != nil {
		return result, err
	}
	gateway, err := s.gateway(ctx, w)
	if err != nil {
		return result, err
	}
	defer gateway.stop()
	return result, run(s, w, gateway, result)
}

// proxy is one running proxy under measurement. A nil process is one that this program did not
// start.
type proxy struct {
	name    string
	addr    netip.AddrPort
	checks  bool
	process *child.Process
	files   gatewayFiles  // of the gateway
	wrote   time.Duration // how long writing them took
}

func (p *proxy) stop() {
	if p.process != nil {
		p.process.Stop()
	}
}

// gateway starts the gateway on a workload, or uses the one that is running already.
func (s *rig) gateway(ctx context.Context, w *workload.Workload) (*proxy, error) {
	if s.Against != "" {
		return &proxy{name: "aclgate", addr: s.target, checks: true}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return s.gatewayOf(ctx, w, "aclgate", self)
}

// gatewayOf starts the gateway of a binary on a workload.
func (s *rig) gatewayOf(ctx context.Context, w *workload.Workload, name, binary string) (*proxy, error) {
	files := gatewayFiles{dir: filepath.Join(s.dir, name), backend: s.backend}
	var err error
	if files.listen, err = freePort(); err != nil {
		return nil, err
	}
	if files.admin, err = freePort(); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := errors.Join(os.MkdirAll(files.dir, 0o700), files.write(w)); err != nil {
		return nil, err
	}
	p := &proxy{name: name, addr: files.listen, checks: true, files: files, wrote: time.Since(began)}
	return p, s.start(ctx, p, []string{binary, "serve", "-c", filepath.Join(files.dir, "aclgate.yaml")})
}

// competitor starts a competitor on a workload.
func (s *rig) competitor(ctx context.Context, r *competitors.Competitor, w *workload.Workload) (*proxy, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, r.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	argv, err := r.Setup(competitors.Site{Dir: dir, Listen: addr, Backend: s.backend, Workload: w})
	if err != nil {
		return nil, err
	}
	p := &proxy{name: r.Name, addr: addr, checks: r.Checks}
	return p, s.start(ctx, p, argv)
}

func (s *rig) start(ctx context.Context, p *proxy, argv []string) (err error) {
	p.process, err = child.Start(p.name, s.proxies, argv)
	if err != nil {
		return err
	}
	if err := p.process.WaitFor(ctx, p.addr); err != nil {
		p.stop()
		return err
	}
	return nil
}

// freePort returns a free loopback address. Another program may take it before the child does; the
// child then says so and the run ends.
func freePort() (netip.AddrPort, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer ln.Close()
	return netip.ParseAddrPort(ln.Addr().String())
}
