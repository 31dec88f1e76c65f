package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
)

func (e *env) serve() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve requests until SIGTERM, a second one hastens; SIGHUP reads the policy again",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return e.runServe(cmd.Context()) },
	}
}

func (e *env) runServe(ctx context.Context) error {
	s, err := e.settings()
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	signal.Ignore(syscall.SIGPIPE) // a log whose reader has died is no reason to die
	logs := app.NewLogWriter(e.stderr)
	defer logs.Close()
	hasten := make(chan os.Signal, 1)
	log := newLogger(s.Log, logs, terminal(e.stderr))
	warnOfSecrets(s, log)
	a, err := app.New(s, log, app.Options{
		Version: version(), Revision: revision(), Hangup: hangup, Hasten: hasten, LogLost: logs.Lost, Upgrade: true,
	})
	if err != nil {
		return badSettings(err)
	}
	defer a.Close()
	ctx, stop := untilSignal(ctx, hasten)
	defer stop()
	if err := a.Serve(ctx); err != nil {
		fmt.Fprintln(logs, err) // here, since whoever called us would wait for a log that is full
		return &exitError{code: exitFailed}
	}
	return nil
}

// warnOfSecrets logs which files with a key everybody on the machine can read, as check says it.
func warnOfSecrets(s *config.Settings, log *slog.Logger) {
	a := adviser{s: s}
	a.secrets()
	for _, f := range a.faults {
		log.Warn(f.Message, "at", fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Col))
	}
}

// settings reads the settings file and what it names. All faults come at once.
func (e *env) settings() (*config.Settings, error) {
	s, faults := config.Load(e.file)
	if faults.Err() == nil {
		faults = append(append(append(faults, config.CheckFiles(s)...), auditFault(s)...), missingPolicies(s)...)
	}
	if err := faults.Err(); err != nil {
		return nil, badSettings(err)
	}
	e.warn(faults)
	return s, nil
}

// warn shows the faults that stop nothing.
func (e *env) warn(faults strict.Faults) {
	for _, f := range faults {
		if f.Warning {
			io.WriteString(e.stderr, f.String()+"\n")
		}
	}
}

// newLogger returns the log of the settings: if they leave it open, text where a person reads it, and
// JSON elsewhere.
func newLogger(s config.Log, w io.Writer, person bool) *slog.Logger {
	levels := map[config.LogLevel]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	options := &slog.HandlerOptions{Level: levels[s.Level], ReplaceAttr: withUnits}
	if s.Format == "json" || s.Format == "auto" && !person {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// withUnits writes durations as the settings do: JSON's own are numbers of nanoseconds, which say
// nothing to a reader.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// terminal reports whether w is a character device, which is what a person reads.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
