package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/bench"
	"aclgate/bench/competitors"
	"aclgate/bench/report"
	"aclgate/bench/stub"
	"aclgate/bench/sys"
	"aclgate/bench/workload"
)

func (e *env) benchCapacity() *cobra.Command {
	var f benchFlags
	limit := 10 * time.Millisecond
	c := e.benchKind("capacity", "Raise the rate until answers come late: where is the knee", &f,
		func(ctx context.Context, o bench.Options) (*report.Result, error) {
			return bench.Capacity(ctx, o, limit)
		})
	c.Flags().StringSliceVar(&f.Mixes, "mix", nil, "what to play (default telematics)")
	c.Flags().DurationVar(&limit, "p99", limit, "the latest that 99 % of the answers may come")
	return c
}

func (e *env) benchRevoke() *cobra.Command {
	var f benchFlags
	c := e.benchKind("revoke", "Revoke a token under load: how long was it still accepted", &f, bench.Revoke)
	c.Flags().Float64Var(&f.Rate, "rate", 0, "requests per second, of the revoked token and again of the others (default 2000)")
	return c
}

func (e *env) benchSize() *cobra.Command {
	tokens := []int{10_000, 100_000}
	c := e.benchKind("size", "Memory, start and reload by number of tokens; the longest stall meanwhile", new(benchFlags),
		func(ctx context.Context, o bench.Options) (*report.Result, error) {
			if len(tokens) == 0 || slices.Min(tokens) < 1 {
				return nil, usage(errors.New("--tokens: expected numbers from 1 on"))
			}
			return bench.Size(ctx, o, tokens)
		})
	c.Flags().IntSliceVar(&tokens, "tokens", tokens, "how many, one measurement each")
	return c
}

func (e *env) benchWorld() *cobra.Command {
	mix, seed := "telematics", uint64(1)
	c := &cobra.Command{
		Use:   "world DIR",
		Short: "Write the settings and policy of a mix, for a gateway that --against will measure",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := workload.Open(mix)
			if err != nil {
				return badSettings(err)
			}
			if err := os.MkdirAll(args[0], 0o700); err != nil {
				return failed(err)
			}
			if err := bench.WriteWorkload(args[0], m, seed); err != nil {
				return failed(err)
			}
			fmt.Fprintln(e.stdout, "wrote settings and policy into", args[0])
			return nil
		},
	}
	c.Flags().StringVar(&mix, "mix", mix, "its name, or a file ending in .yaml")
	c.Flags().Uint64Var(&seed, "seed", seed, "what tokens and items follow from")
	return c
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
				return fmt.Errorf("--listen: expected an address such as 127.0.0.1:9000, found %q", listen)
			}
			server, err := stub.New(at)
			if err != nil {
				return failed(err)
			}
			fmt.Fprintf(e.stdout, "backend at %s\n", server)
			return failed(server.Run(cmd.Context()))
		},
	}
	c.Flags().StringVar(&listen, "listen", listen, "address")
	return c
}

// benchStreams is the backend of bench stream, a process of its own.
func benchStreams() *cobra.Command {
	return &cobra.Command{
		Use:    "streams LISTEN",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ln, err := net.Listen("tcp", args[0])
			if err == nil {
				err = stub.Stream(cmd.Context(), ln)
			}
			return failed(err)
		},
	}
}

// benchBare is the built-in competitor, a process of its own.
func benchBare() *cobra.Command {
	return &cobra.Command{
		Use:    "bare LISTEN BACKEND",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed(competitors.Bare(cmd.Context(), args[0], args[1]))
		},
	}
}

// benchBurn takes CPU, a process of its own.
func benchBurn() *cobra.Command {
	return &cobra.Command{
		Use:    "burn EVERY BUSY",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			every, err := time.ParseDuration(args[0])
			busy, err2 := time.ParseDuration(args[1])
			if err = errors.Join(err, err2); err != nil {
				return err
			}
			return failed(stub.Burn(cmd.Context(), every, busy))
		},
	}
}

// benchPinned becomes another program on the given cores.
func benchPinned() *cobra.Command {
	return &cobra.Command{
		Use:                "pinned CPU,... PROGRAM [ARGS]",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("expected cores and a program")
			}
			var cpus []int
			for word := range strings.SplitSeq(args[0], ",") {
				cpu, err := strconv.Atoi(word)
				if err != nil {
					return err
				}
				cpus = append(cpus, cpu)
			}
			if err := sys.Become(cpus, args[1], args[1:]); err != nil {
				return failed(fmt.Errorf("cannot run %s on cores %s: %w", args[1], args[0], err))
			}
			return nil
		},
	}
}
