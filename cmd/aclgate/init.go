package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/policy/store"
)

func (e *env) init() *cobra.Command {
	var url, mode string
	c := &cobra.Command{
		Use:   "init --upstream URL [--mode MODE]",
		Short: "Write the two files: settings and policy",
		Long: `Write aclgate.yaml and, beside it, policy.yaml: the smallest pair that works.
If either exists, nothing is written.

  aclgate init --upstream http://127.0.0.1:9000
  aclgate init --upstream https://flespi.io --mode header   # several accounts, which the backend knows`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.runInit(url, config.ScopeMode(mode)) },
	}
	c.Flags().StringVar(&url, "upstream", "", "URL of the backend (required)")
	c.Flags().StringVar(&mode, "mode", string(config.ScopeNone), "who keeps accounts apart: none (there is one), header, ids or both")
	return c
}

func (e *env) runInit(url string, mode config.ScopeMode) error {
	if url == "" {
		return errors.New("init needs --upstream URL, for example --upstream http://127.0.0.1:9000")
	}
	if !slices.Contains([]config.ScopeMode{config.ScopeNone, config.ScopeHeader, config.ScopeIDs, config.ScopeBoth}, mode) {
		return fmt.Errorf("--mode %q is none of none, header, ids and both", mode)
	}
	url = strings.TrimSuffix(url, "/") // as a browser shows the address of a host
	folder := filepath.Dir(e.file)
	files := []struct {
		path string
		text []byte
		mode os.FileMode
	}{
		{e.file, config.Smallest(url, "upstream.token", mode), 0o644},
		{filepath.Join(folder, "policy.yaml"), store.Template(), 0o600},
	}
	if _, faults := config.Parse(e.file, files[0].text); faults.Err() != nil {
		return fmt.Errorf("--upstream %q cannot be used: expected http://HOST:PORT or https://HOST:PORT", url)
	}
	for _, f := range files {
		if _, err := os.Stat(f.path); err == nil {
			return failed(fmt.Errorf("%s exists already: nothing was written", f.path))
		}
	}
	for _, f := range files {
		if err := writeNew(f.path, f.text, f.mode); err != nil {
			return failed(err)
		}
		fmt.Fprintln(e.stdout, "wrote", f.path)
	}
	accounts := `Name the accounts of your backend under "accounts:".`
	if mode == config.ScopeNone {
		accounts = `For more accounts than one, set scope.mode: header if the backend knows them, else ids.`
	}
	fmt.Fprintf(e.stdout, `
Next:
  1. Put the backend's key, which the gateway uses, into %s.
  2. aclgate token new --into %s
  3. %s
  4. aclgate check --live
  5. aclgate serve
`, filepath.Join(folder, "upstream.token"), filepath.Join(folder, "policy.yaml"), accounts)
	return nil
}

// writeNew writes a file that must not exist yet: nothing of the operator's is ever overwritten.
func writeNew(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already", path)
	}
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err != nil {
		f.Close()
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return f.Close()
}
