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

// failed and badSettings give an error its exit code; nil stays nil.
func failed(err error) error      { return withCode(exitFailed, err) }
func badSettings(err error) error { return withCode(exitSettings, err) }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: what main does, but for the process. ctx ends what serves.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitUsage, err}
	}
	if text := exit.Error(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if exit.code == exitUsage {
		fmt.Fprintln(stderr, "Run 'aclgate help' for the commands and their flags.")
	}
	return exit.code
}
