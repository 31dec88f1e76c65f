package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config"
)

// adminTimeout bounds a call of the admin listener. A reload of a large policy takes a while.
const adminTimeout = 30 * time.Second

// healthTimeout bounds a look at health: a gateway that does not answer in it is not well.
const healthTimeout = 5 * time.Second

// What everybody may ask of the admin listener.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

// maxAdminAnswer bounds an answer of the admin listener, in bytes: ten thousand tokens.
const maxAdminAnswer = 256 << 20

// callAdmin calls the admin listener of a running gateway and returns status and body.
func (e *env) callAdmin(ctx context.Context, s *config.Settings, method, path string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	return e.askAdmin(ctx, s, method, path, nil)
}

// askAdmin is callAdmin with a body, for as long as ctx lasts.
func (e *env) askAdmin(ctx context.Context, s *config.Settings, method, path string, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+dialable(s.Admin.Address)+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if s.Admin.Token.IsSet() && path != healthPath && path != readyPath { // who only looks shows no key
		key, err := config.ReadKeyFile(s.Admin.Token.Path)
		if err != nil {
			return 0, "", fmt.Errorf("cannot read admin.token_file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
	}
	defer e.during("waiting for the gateway").end()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, "", fmt.Errorf("the admin listener at %s does not answer: the gateway hangs, or something else listens there", s.Admin.Address)
	case err != nil:
		return 0, "", fmt.Errorf("cannot reach the admin listener at %s: is the gateway running?", s.Admin.Address)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAdminAnswer))
	text := strings.TrimSpace(string(answer))
	if resp.StatusCode == http.StatusNotFound && reasons(text) == "no such resource" {
		return 0, "", errors.New(notServed(s, path))
	}
	return resp.StatusCode, text, err
}

// notServed says why the running gateway does not know a path of its admin listener.
func notServed(s *config.Settings, path string) string {
	records, administration := strings.CutPrefix(path, "/platform/")
	backends := s.Scope.Accounts == config.AccountsBackend && (strings.HasPrefix(records, "subaccounts") || strings.HasPrefix(records, "limits"))
	switch {
	case administration && s.Platform.Serve == config.Off:
		return "platform.serve is off: the gateway administers nothing"
	case administration && backends:
		return "accounts and limits are the backend's (scope.accounts: backend): ask it for them"
	}
	return "the running gateway was started without admin.token_file: restart it"
}

// dialable turns an address to listen on into one to call: a listener on every address is called on
// this machine.
func dialable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// loadSettings reads the settings for a command that does not serve.
func (e *env) loadSettings() (*config.Settings, error) {
	s, faults := config.Load(e.file)
	if err := faults.Err(); err != nil {
		return nil, badSettings(err)
	}
	return s, nil
}

func (e *env) reload() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the running gateway read its policy again",
		Long: `Have the running gateway read its policy and its own credential again.

When this returns without an error, every request that starts afterwards obeys
the new policy. A broken policy is refused whole, with every fault named, and
the old one stays in force. It needs admin.token_file; without one send SIGHUP.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runReload(cmd.Context()) },
	}
}

func (e *env) runReload(ctx context.Context) error {
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	if !s.Admin.Token.IsSet() {
		return failed(errors.New("reload needs admin.token_file in the settings; or send SIGHUP to the process"))
	}
	status, body, err := e.callAdmin(ctx, s, http.MethodPost, "/reload")
	switch {
	case err != nil:
		return failed(err)
	case status == http.StatusOK:
		fmt.Fprintln(e.stdout, states(body))
		return nil
	case status == http.StatusUnprocessableEntity:
		return badSettings(errors.New(reasons(body)))
	}
	return failed(fmt.Errorf("the admin listener answered %d: %s", status, reasons(body)))
}

func (e *env) health() *cobra.Command {
	var f healthFlags
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the running gateway whether it is alive, or ready",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return e.runHealth(cmd.Context(), f) },
	}
	c.Flags().BoolVar(&f.ready, "ready", false, "ask whether it is ready to serve, and print each condition")
	f.output.addJSON(c)
	return c
}

type healthFlags struct {
	ready  bool
	output outputFlag
}

func (e *env) runHealth(ctx context.Context, f healthFlags) error {
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	path := healthPath
	if f.ready {
		path = readyPath
	}
	ctx, stop := context.WithTimeout(ctx, healthTimeout)
	defer stop()
	status, body, err := e.callAdmin(ctx, s, http.MethodGet, path)
	if err != nil {
		return failed(err)
	}
	if !f.output.json() {
		body = states(body)
	}
	fmt.Fprintln(e.stdout, body)
	if status != http.StatusOK {
		return &exitError{code: exitFailed}
	}
	return nil
}

// adminAnswer is what the admin listener answers.
type adminAnswer struct {
	Errors []struct{ Reason string }
	Result []struct{ Name, State, Reason string }
}

// reasons returns the errors of an answer, one a line; a body of another shape as it is.
func reasons(body string) string {
	var a adminAnswer
	if json.Unmarshal([]byte(body), &a) != nil || len(a.Errors) == 0 {
		return body
	}
	lines := make([]string, len(a.Errors))
	for i, f := range a.Errors {
		lines[i] = f.Reason
	}
	return strings.Join(lines, "\n")
}

// states returns what an answer says of health, one condition a line; a body of another shape as it
// is.
func states(body string) string {
	var a adminAnswer
	if json.Unmarshal([]byte(body), &a) != nil || len(a.Result) == 0 {
		return body
	}
	lines := make([]string, len(a.Result))
	for i, s := range a.Result {
		lines[i] = s.State
		if s.Name != "" {
			lines[i] = s.Name + ": " + s.State
		}
		if s.Reason != "" {
			lines[i] += ": " + s.Reason
		}
	}
	return strings.Join(lines, "\n")
}
