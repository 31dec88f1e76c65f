package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aclgate/bench/child"
	"aclgate/bench/hist"
	"aclgate/bench/load"
	"aclgate/bench/oracle"
	"aclgate/bench/report"
	"aclgate/bench/sys"
	"aclgate/bench/workload"
)

const (
	writeRate      = 200 // a second
	writeConns     = 8
	writeReads     = 1000 // reads a second, beside and alone
	writeRounds    = 20   // of each kind at most, a second each at least
	writtenTokens  = 200
	writeMaster    = "master-of-the-bench-that-writes"
	writeMasterID  = 1_000_000
	writeStoreFile = "store: {kind: file, path: policy.json}"
)

// WriteStore is the database that Writes measures.
type WriteStore struct {
	Settings string            // its line of the settings: store: {…}
	Files    map[string]string // that the line names, beside the settings
	Target   float64           // the p99 of writes that is wanted, in ms

	// Fill makes the database that these settings name, and imports policy.json beside them. Drop takes
	// it away again.
	Fill func(ctx context.Context, settings string) error
	Drop func()
}

// Writes measures administration over HTTP: how long 200 writes a second take, and what they cost the
// reads beside them. Both are due at fixed times, and count from those. Rounds with and without writes
// alternate, since a shared machine moves by more than what is looked for. Between them are rounds beside a
// process that takes as much CPU as the gateway took for the writes, as often, and does nothing else: what
// reads lose there they lose to the machine. Slices of the options are how long it writes, in all rounds.
func Writes(ctx context.Context, o Options, db WriteStore) (*report.Result, error) {
	if o.Against != "" {
		return nil, errors.New("bench writes changes tokens: it needs a gateway of its own, not --against")
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	defer db.Drop()
	// The gateway has all cores, those of what measures it too.
	s.proxies = s.cpus
	if err := errors.Join(sys.Prompt(os.Getpid()), sys.Prompt(s.process.PID())); err != nil { // a sandbox forbids it
		s.Say("reads are longer by what the bench itself waits for a core: %v\n", err)
	}
	result := s.result("writes")
	w, err := s.workload("one-id")
	if err != nil {
		return result, err
	}
	gateway, err := s.writeGateway(ctx, w, &db)
	if err != nil {
		return result, err
	}
	defer gateway.stop()
	if err := s.writeRounds(ctx, w, gateway, &db, result); err != nil {
		return result, errors.Join(err, output([]*proxy{gateway}))
	}
	return result, nil
}

// writeGateway starts a gateway whose tokens are in the database, a master among them.
func (s *rig) writeGateway(ctx context.Context, w *workload.Workload, db *WriteStore) (*proxy, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	files := gatewayFiles{dir: filepath.Join(s.dir, "writes"), backend: s.backend}
	if files.listen, err = freePort(); err != nil {
		return nil, err
	}
	if files.admin, err = freePort(); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(files.dir, 0o700), files.write(w)); err != nil {
		return nil, err
	}
	master := fmt.Sprintf(`"tokens": [{"id": %d, "key_sha256": "%x", "cid": 1, "expire": 4070908800, "access": {"type": "master"}},`, writeMasterID, sha256.Sum256([]byte(writeMaster)))
	for name, change := range map[string][2]string{"policy.json": {`"tokens": [`, master}, "aclgate.yaml": {writeStoreFile, db.Settings}} {
		path := filepath.Join(files.dir, name)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1), 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	for name, text := range db.Files {
		if err := os.WriteFile(filepath.Join(files.dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	settings := filepath.Join(files.dir, "aclgate.yaml")
	if err := db.Fill(ctx, settings); err != nil {
		return nil, err
	}
	p := &proxy{name: "aclgate", addr: files.listen, checks: true, files: files}
	return p, s.start(ctx, p, []string{self, "serve", "-c", settings})
}

// writeCalls are writes each of which changes something: half of them make a token, the others change
// the info of one, to another text each time.
func writeCalls() (calls []workload.Call) {
	wire := func(method, target, body string) {
		calls = append(calls, workload.Call{Bytes: fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: FlespiToken %s\r\nContent-Length: %d\r\n\r\n%s",
			method, target, writeMaster, len(body), body)})
	}
	for i := range 2 * writtenTokens {
		wire("PUT", fmt.Sprintf("/platform/tokens/%d?fields=id", i%writtenTokens+1), fmt.Sprintf(`{"info":"pass %d"}`, i/writtenTokens))
		wire("POST", "/platform/tokens?fields=id", `{"access":{"type":0},"expire":4070908800}`)
	}
	return calls
}

// writeRounds measures in rounds.
func (s *rig) writeRounds(ctx context.Context, w *workload.Workload, gateway *proxy, db *WriteStore, result *report.Result) error {
	writes := &load.Lane{Name: "writes", Addr: gateway.addr, Calls: writeCalls(), Afresh: true, Judge: func(a *load.Answer) oracle.Finding {
		if a.Status != http.StatusOK {
			return oracle.Fault
		}
		return oracle.OK
	}}
	var alone, beside, busy writeReadings
	r := writeRound{rig: s, gateway: gateway, workload: w, result: result}
	whole := s.Slice * time.Duration(s.Slices)
	rounds := min(max(int(whole/time.Second), 2), writeRounds)
	r.length = whole / time.Duration(rounds)
	r.warmup = min(time.Second, r.length)
	for round := range rounds {
		if err := r.read(ctx, &alone, nothing); err != nil {
			return err
		}
		if err := r.read(ctx, &beside, r.write(writes)); err != nil {
			return err
		}
		made := float64(round+1) * (r.warmup + r.length).Seconds() * writeRate
		each := time.Duration(float64(max(beside.cpu-alone.cpu, 0)) / made)
		if err := r.read(ctx, &busy, r.burn(each)); err != nil {
			return err
		}
	}
	all := &writes.Corrected
	if all.Count() == 0 {
		return errors.New("no write was answered: write for longer")
	}
	if writes.Counts.Faults > 0 {
		return fmt.Errorf("%d of %d writes were not answered with 200: %s", writes.Counts.Faults, writes.Counts.Requests, strings.TrimSpace(writes.Bad))
	}
	p99 := func(r *writeReadings) float64 { return ms(r.took.Quantile(.99)) }
	ratio, floor := p99(&beside)/p99(&alone), p99(&busy)/p99(&alone)
	for name, v := range map[string]report.Figure{
		"writes/p50_ms": report.Exact(ms(all.Quantile(.5)), "ms"), "writes/p99_ms": report.Exact(ms(all.Quantile(.99)), "ms"),
		"writes/unsent": report.Exact(float64(writes.Counts.Unsent), ""), "writes/max_ms": report.Exact(ms(all.Max()), "ms"),
		"reads/p99_alone_ms": report.Exact(p99(&alone), "ms"), "reads/p99_beside_ms": report.Exact(p99(&beside), "ms"), "reads/p99_ratio": report.Exact(ratio, ""),
		"reads/p99_busy_ms": report.Exact(p99(&busy), "ms"), "reads/p99_busy_ratio": report.Exact(floor, ""),
	} {
		result.Figures[name] = v
	}
	s.Say("%d writes, %d a second, and %d that were due and never sent: median %.1f ms, p99 %.1f ms (target %.0f ms), longest %.1f ms\n", all.Count(), writeRate, writes.Counts.Unsent,
		ms(all.Quantile(.5)), ms(all.Quantile(.99)), db.Target, ms(all.Max()))
	s.Say("%d reads a second: p99 %.2f ms alone, %.2f ms beside the writes: a ratio of %.2f (target 1.20)\n", writeReads, p99(&alone), p99(&beside), ratio)
	s.Say("beside a process that takes as much CPU and does nothing else: %.2f ms, a ratio of %.2f\n", p99(&busy), floor)
	return nil
}

// writeReadings are what the reads of all rounds of one kind took, and the CPU of the gateway meanwhile.
type writeReadings struct {
	took hist.Histogram
	cpu  time.Duration
}

// writeRound reads for a while, beside something else.
type writeRound struct {
	*rig
	gateway        *proxy
	workload       *workload.Workload
	result         *report.Result
	warmup, length time.Duration
}

func (r *writeRound) options(conns int, rate float64) load.Options {
	return load.Options{Conns: conns, Rate: rate, Warmup: r.warmup, Slice: r.length, Slices: 1}
}

// read reads while other goes on, and adds what it reads to into.
func (r *writeRound) read(ctx context.Context, into *writeReadings, other func(context.Context) error) error {
	reads, done := r.gateway.lane(r.workload), make(chan error, 1)
	before := child.CPU(r.gateway.process.PID())
	go func() { done <- other(ctx) }()
	err := errors.Join(load.Run(ctx, []*load.Lane{reads}, r.options(r.Conns, writeReads)), <-done)
	into.cpu += child.CPU(r.gateway.process.PID()) - before
	into.took.Add(&reads.Corrected)
	r.result.Add(report.Run{Mix: "writes", Rate: writeReads, Conns: r.Conns, Lanes: []report.Lane{
		{Name: report.Subject, Counts: reads.Counts, Bad: reads.Bad, Service: reads.Service.Buckets(), Corrected: reads.Corrected.Buckets()},
	}})
	return err
}

// nothing is what reads alone have beside them.
func nothing(context.Context) error { return nil }

// write makes writes for as long as a round takes.
func (r *writeRound) write(writes *load.Lane) func(context.Context) error {
	return func(ctx context.Context) error {
		return load.Run(ctx, []*load.Lane{writes}, r.options(writeConns, writeRate))
	}
}

// burn takes CPU for as long as a round takes, as often as writes come.
func (r *writeRound) burn(each time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		p, err := child.Start("what takes CPU", r.cpus, []string{self, "bench", "burn", (time.Second / writeRate).String(), each.String()})
		if err != nil {
			return err
		}
		defer p.Stop()
		select {
		case <-ctx.Done():
		case <-time.After(r.warmup + r.length):
		}
		if child.CPU(p.PID()) == 0 {
			return fmt.Errorf("what takes CPU took none: %s", p.Output())
		}
		return nil
	}
}
