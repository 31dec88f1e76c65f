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
	writeRounds    = 5    // of each
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
// alternate, since a shared machine moves by more than what is looked for; of the ratio the median counts.
// Slices of the options are how long it writes, in all rounds.
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
	var alone, beside, ratio []float64
	writes := &load.Lane{Name: "writes", Addr: gateway.addr, Calls: writeCalls(), Afresh: true, Judge: func(a *load.Answer) oracle.Finding {
		if a.Status != http.StatusOK {
			return oracle.Fault
		}
		return oracle.OK
	}}
	var all hist.Histogram
	for range writeRounds {
		quiet, err := s.writeRound(ctx, w, gateway, nil, result)
		if err != nil {
			return err
		}
		busy, err := s.writeRound(ctx, w, gateway, writes, result)
		if err != nil {
			return err
		}
		alone, beside, ratio = append(alone, ms(quiet)), append(beside, ms(busy)), append(ratio, float64(busy)/float64(quiet))
	}
	all.Add(&writes.Corrected)
	if all.Count() == 0 {
		return errors.New("no write was answered: write for longer")
	}
	if writes.Counts.Faults > 0 {
		return fmt.Errorf("%d of %d writes were not answered with 200: %s", writes.Counts.Faults, writes.Counts.Requests, strings.TrimSpace(writes.Bad))
	}
	for name, v := range map[string]report.Figure{
		"writes/p50_ms": report.Exact(ms(all.Quantile(.5)), "ms"), "writes/p99_ms": report.Exact(ms(all.Quantile(.99)), "ms"),
		"writes/unsent": report.Exact(float64(writes.Counts.Unsent), ""), "writes/max_ms": report.Exact(ms(all.Max()), "ms"), "reads/p99_alone_ms": report.Median(alone, "ms"),
		"reads/p99_beside_ms": report.Median(beside, "ms"), "reads/p99_ratio": report.Median(ratio, ""),
	} {
		result.Figures[name] = v
	}
	s.Say("%d writes, %d a second, and %d that were due and never sent: median %.1f ms, p99 %.1f ms (target %.0f ms), longest %.1f ms\n", all.Count(), writeRate, writes.Counts.Unsent,
		ms(all.Quantile(.5)), ms(all.Quantile(.99)), db.Target, ms(all.Max()))
	s.Say("%d reads a second: p99 %.2f ms alone, %.2f ms beside the writes: a ratio of %.2f (target 1.20), from %.2f to %.2f\n", writeReads,
		report.Median(alone, "ms").Value, report.Median(beside, "ms").Value, report.Median(ratio, "").Value, result.Figures["reads/p99_ratio"].Low, result.Figures["reads/p99_ratio"].High)
	return nil
}

// writeRound reads for a while, beside writes unless they are nil, and returns the p99 of the reads.
func (s *rig) writeRound(ctx context.Context, w *workload.Workload, gateway *proxy, writes *load.Lane, result *report.Result) (time.Duration, error) {
	reads := gateway.lane(w)
	round := s.Slice * time.Duration(s.Slices) / writeRounds
	options := load.Options{Conns: s.Conns, Rate: writeReads, Warmup: min(time.Second, round), Slice: round, Slices: 1}
	written := make(chan error, 1)
	if writes != nil {
		o := options
		o.Conns, o.Rate = writeConns, writeRate
		go func() { written <- load.Run(ctx, []*load.Lane{writes}, o) }()
	} else {
		written <- nil
	}
	err := errors.Join(load.Run(ctx, []*load.Lane{reads}, options), <-written)
	result.Add(report.Run{Mix: "writes", Rate: writeReads, Conns: s.Conns, Lanes: []report.Lane{
		{Name: report.Subject, Counts: reads.Counts, Bad: reads.Bad, Service: reads.Service.Buckets(), Corrected: reads.Corrected.Buckets()},
	}})
	return reads.Corrected.Quantile(.99), err
}
