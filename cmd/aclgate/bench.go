package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"aclgate/bench"
	"aclgate/bench/fake"
	"aclgate/bench/report"
	"aclgate/bench/rivals"
	"aclgate/bench/sys"
)

// exitGate is the code of a bench whose gate or oracle says no (SPEC 7).
const exitGate = 5

// benchFlags are what the flags of bench set.
type benchFlags struct {
	bench.Options
	out, baseline, gate string
	duration            time.Duration
}

func (e *env) bench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the gateway beside other proxies and check every answer",
		Long: `Start a cheap backend, the gateway and the proxies that are installed here (a
bare fasthttp proxy is built in; nginx, nginx with Lua and HAProxy from
Debian's packages), and measure them in pairs: at the same time, on the same
core, under the same load. What counts is the ratio of CPU time per request.

Every answer is checked: one leak or wrong denial fails the bench. So does a
line of --gate that is broken (exit code 5).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runBench(cmd.Context(), &f) },
	}
	f.shared(c)
	c.Flags().StringSliceVar(&f.Mixes, "mix", nil, "what to play: names, or files ending in .yaml (default: all)")
	c.Flags().StringSliceVar(&f.Rivals, "rival", nil, "bare, nginx, lua, lua-set, haproxy (default: all that are here)")
	c.Flags().Float64Var(&f.Rate, "rate", 0, "requests per second and proxy, open loop (default: as many as they can)")
	c.Flags().DurationVar(&f.duration, "duration", 10*time.Second, "how long to measure each pair")
	c.Flags().StringVar(&f.out, "out", "", "folder for report.json and report.html")
	c.Flags().StringVar(&f.baseline, "baseline", "", "a report.json to compare with")
	c.Flags().StringVar(&f.gate, "gate", "", "limits, as YAML: a list of lines such as one-id/bare/cpu_ratio <= 1.10")
	c.AddCommand(e.benchBackend(), benchBare(), benchPinned())
	return c
}

// shared sets the flags that every kind of bench has.
func (f *benchFlags) shared(c *cobra.Command) {
	c.Flags().Uint64Var(&f.Seed, "seed", 1, "what tokens, items and calls follow from")
	c.Flags().IntVar(&f.Conns, "connections", 32, "per proxy")
	c.Flags().StringVar(&f.Against, "against", "", "measure the gateway at this URL, which plays a world of `aclgate bench world`")
	c.Flags().BoolVar(&f.Mine, "i-own-this-target", false, "let --against be another machine")
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
	o.Say = func(format string, args ...any) { fmt.Fprintf(e.stdout, format, args...) }
	return o
}

func (e *env) runBench(ctx context.Context, f *benchFlags) error {
	result, err := bench.Run(ctx, e.options(f))
	if err != nil {
		return failed(err)
	}
	return e.finish(result, f)
}

// finish writes the report and lets oracle and gate speak.
func (e *env) finish(result *report.Result, f *benchFlags) error {
	for _, note := range result.Notes {
		fmt.Fprintln(e.stdout, note)
	}
	if result.Failed() {
		return &exitError{exitGate, fmt.Errorf("the oracle found %.0f leaks and %.0f wrong denials",
			result.Figures["leaks"].Value, result.Figures["wrong_denials"].Value)}
	}
	return nil
}

func (e *env) benchBackend() *cobra.Command {
	listen := "127.0.0.1:9000"
	c := &cobra.Command{
		Use:   "backend",
		Short: "Run the bench's cheap backend alone",
		Long:  "Answer every request with 300 bytes of JSON that repeat the ids asked for.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := netip.ParseAddrPort(listen)
			if err != nil {
				return err
			}
			server, err := fake.New(at)
			if err != nil {
				return failed(err)
			}
			fmt.Fprintf(e.stdout, "backend at %s\n", server)
			if err := server.Run(cmd.Context()); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&listen, "listen", listen, "address")
	return c
}

// benchBare is the built-in rival, a process of its own.
func benchBare() *cobra.Command {
	return &cobra.Command{
		Use:    "bare LISTEN BACKEND",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := rivals.Bare(cmd.Context(), args[0], args[1]); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

// benchPinned becomes another program on one core.
func benchPinned() *cobra.Command {
	return &cobra.Command{
		Use:                "pinned CPU PROGRAM [ARGS]",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("expected a core and a program")
			}
			cpu, err := strconv.Atoi(args[0])
			if err != nil {
				return err
			}
			if err := sys.Become(cpu, args[1], args[1:]); err != nil {
				return failed(fmt.Errorf("cannot run %s on core %d: %w", args[1], cpu, err))
			}
			return nil
		},
	}
}
