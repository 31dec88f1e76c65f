// Command aclgate is a reverse-proxy API gateway that narrows requests to a telematics REST API
// down to the items that the caller may touch.
//
// This package holds the commands, one file each or one for each family. What a running gateway is
// made of is joined in cmd/internal/app. Tests run the same run function that main does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// Exit codes (SPEC 7).
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitSettings = 3
)

// exitError is an error that knows its exit code. Its text is empty where everything is printed
// already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failed, usage and badSettings give an error its exit code, if it has none; nil stays nil.
func failed(err error) error      { return withCode(exitFailed, err) }
func usage(err error) error       { return withCode(exitUsage, err) }
func badSettings(err error) error { return withCode(exitSettings, err) }

func withCode(code int, err error) error {
	if exit := (*exitError)(nil); err == nil || errors.As(err, &exit) {
		return err
	}
	return &exitError{code, err}
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM; later, if it is not nil,
// gets those that follow. It is for what has to be left in order; every other command just dies by them, at
// once, whatever it waits for.
func untilSignal(ctx context.Context, later chan<- os.Signal) (_ context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if ctx.Err() == nil {
					cancel()
					continue
				}
				select {
				case later <- s:
				default: // nobody wants it, or one is enough
				}
			case <-ended:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() { signal.Stop(signals); cancel(); close(ended) })
}

// run is the whole program: what main does, but for the process. ctx ends what serves.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitUsage, plainUsage(err)}
	}
	if text := exit.Error(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if exit.code == exitUsage {
		fmt.Fprintf(stderr, "Run '%s --help' for what it takes.\n", cmd.CommandPath())
	}
	return exit.code
}

// together is how the library of the commands refuses flags that exclude each other.
var together = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)

// plainUsage says in plain words which flags exclude each other.
func plainUsage(err error) error {
	m := together.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	return fmt.Errorf("--%s exclude each other: give one of them", strings.Join(strings.Fields(m[1]), " and --"))
}
