package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/bench"
	"aclgate/bench/report"
)

// exitGate is the code of a bench that the gate or the oracle fails (SPEC 7).
const exitGate = 5

// benchFlags are what the flags of bench set.
type benchFlags struct {
	bench.Options
	out, baseline, gate string
	duration            time.Duration
	output              outputFlag
}

func (e *env) bench() *cobra.Command {
	var f benchFlags
	c := e.benchKind("bench", "Measure the gateway beside other proxies and check every answer", &f, bench.Run)
	c.Long = `Start a cheap backend, the gateway and the proxies that are installed here (a
bare fasthttp proxy is built in; nginx, nginx with Lua and HAProxy from
Debian's packages), and measure them in pairs: at the same time, on the same
core, under the same load. What counts is the ratio of CPU time per request.

Every answer is checked: one leak or wrong denial fails the bench. So does a
line of --gate that is broken (exit code 5).`
	c.Flags().StringSliceVar(&f.Mixes, "mix", nil, "what to play: names, or files ending in .yaml (default: all)")
	c.Flags().StringSliceVar(&f.Competitors, "rival", nil, "bare, nginx, lua, lua-set, lua-full, haproxy, unshared, or ./FILE for another aclgate (default: all that are here)")
	c.Flags().Float64Var(&f.Rate, "rate", 0, "requests per second and proxy, open loop (default: as many as they can)")
	c.Flags().DurationVar(&f.duration, "duration", 10*time.Second, "how long to measure each pair")
	c.AddCommand(
		e.benchKind("quick", "One minute, one line: the ratio to a bare proxy, and leaks", &benchFlags{duration: 15 * time.Second}, bench.Quick),
		e.benchKind("stream", "Answers of 1 GB and of 100 MB in chunks: first byte, CPU, extra memory, beside nginx", new(benchFlags), bench.Stream),
		e.benchCapacity(), e.benchRevoke(), e.benchSize(), e.benchStore(), e.benchWrites(), e.benchWorld(), e.benchBackend(),
		benchBare(), benchBurn(), benchStreams(), benchPinned())
	return c
}

// benchKind returns a command that measures with run, writes the report, and fails if oracle or
// gate do.
func (e *env) benchKind(use, short string, f *benchFlags, run func(context.Context, bench.Options) (*report.Result, error)) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runBench(cmd.Context(), f, run) },
	}
	flags := c.Flags()
	flags.Uint64Var(&f.Seed, "seed", 1, "what tokens, items and calls follow from")
	flags.IntVar(&f.Conns, "connections", 32, "per proxy")
	f.output.add(c)
	flags.StringVar(&f.out, "out", "", "folder for report.json and report.html")
	flags.StringVar(&f.baseline, "baseline", "", "a report.json to compare with")
	flags.StringVar(&f.gate, "gate", "", "limits, as YAML: a list of lines such as one-id/bare/cpu_ratio <= 1.10")
	flags.StringVar(&f.Against, "against", "", "measure the gateway at this `URL`, which has a world of aclgate bench world")
	flags.BoolVar(&f.Mine, "i-own-this-target", false, "let --against be another machine")
	return c
}

const (
	benchSlice  = 500 * time.Millisecond
	benchWarmup = 1500 * time.Millisecond
)

// options completes what the flags say.
func (e *env) options(f *benchFlags) bench.Options {
	o := f.Options
	o.Slice, o.Warmup = benchSlice, benchWarmup
	o.Slices = max(int(f.duration/benchSlice), 1)
	o.Version = version()
	o.Say = func(format string, args ...any) { fmt.Fprintf(e.said(f), format, args...) }
	return o
}

// said is where what people read of a bench goes.
func (e *env) said(f *benchFlags) io.Writer {
	if f.output.json() {
		return e.stderr
	}
	return e.stdout
}

// runBench reads the gate first: a fault in it shows before ten minutes have passed.
func (e *env) runBench(ctx context.Context, f *benchFlags, run func(context.Context, bench.Options) (*report.Result, error)) error {
	if err := f.Check(ctx); err != nil {
		return usage(err)
	}
	gate, base, err := f.limits()
	if err != nil {
		return badSettings(err)
	}
	ctx, stop := untilSignal(ctx, nil) // processes have to be ended
	defer stop()
	result, err := run(ctx, e.options(f))
	if err != nil {
		return failed(err)
	}
	for _, note := range result.Notes {
		fmt.Fprintln(e.said(f), note)
	}
	if f.output.json() {
		if err := result.WriteJSON(e.stdout); err != nil {
			return failed(err)
		}
	}
	if err := f.write(result); err != nil {
		return failed(err)
	}
	if result.Failed() {
		return &exitError{exitGate, fmt.Errorf("the oracle found %.0f leaks and %.0f wrong denials",
			result.Figures["leaks"].Value, result.Figures["wrong_denials"].Value)}
	}
	if broken := gate.Check(result, base); len(broken) > 0 {
		return &exitError{exitGate, errors.New("the gate is broken:\n" + strings.Join(broken, "\n"))}
	}
	return nil
}

// limits reads what the result will be compared with.
func (f *benchFlags) limits() (gate report.Gate, base *report.Result, err error) {
	if f.gate != "" {
		if gate, err = report.ReadGate(f.gate); err != nil {
			return nil, nil, err
		}
	}
	if f.baseline != "" {
		base, err = report.ReadFile(f.baseline)
	}
	return gate, base, err
}

// write writes the report's files, if they are wanted.
func (f *benchFlags) write(result *report.Result) error {
	if f.out == "" {
		return nil
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{"report.json": result.WriteJSON, "report.html": result.WriteHTML} {
		file, err := os.Create(filepath.Join(f.out, name))
		if err != nil {
			return err
		}
		if err := errors.Join(write(file), file.Close()); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}
