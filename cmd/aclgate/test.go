package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config/strict"
	"aclgate/policy/cases"
)

// exitTests says that a policy test failed.
const exitTests = 4

type testFlags struct {
	policy, junit string
	strict        bool
	output        outputFlag
}

func (e *env) test() *cobra.Command {
	var f testFlags
	c := &cobra.Command{
		Use:   "test [FILES]",
		Short: "Run policy tests: requests, and what is expected of them",
		Long: `Judge the requests of test files by the policy of the settings, without sending
anything, and compare with what the files expect. Without FILES, those that match
*_test.yaml beside the policy. See docs/policy-tests.md for the files.

Entries that no case exercises, and entries that can never be chosen, are named
with their lines; with --strict they are failures, too. Exit code 4 says that
something failed.`,
		RunE: func(_ *cobra.Command, args []string) error { return e.runTest(&f, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.policy, "policy", "", "policy file to test (default: that of the settings)")
	flags.StringVar(&f.junit, "junit", "", "write the outcome to this file, as JUnit XML")
	f.output.add(c)
	flags.BoolVar(&f.strict, "strict", false, "fail for entries that are not exercised or never chosen")
	return c
}

func (e *env) runTest(f *testFlags, files []string) error {
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	defer e.during("testing the policy").end()
	world, err := readWorld(s, f.policy)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		if files, err = filepath.Glob(filepath.Join(filepath.Dir(world.File), "*_test.yaml")); err != nil || len(files) == 0 {
			return failed(errors.New("there are no test files: name some, or put *_test.yaml beside the policy"))
		}
	}
	suites, err := readSuites(files)
	if err != nil {
		return err
	}
	result := cases.NewResult(world)
	for _, s := range suites {
		result.Run(s)
	}
	if f.junit != "" {
		if err := writeJUnit(f.junit, result); err != nil {
			return failed(err)
		}
	}
	if f.output.json() {
		return e.printResultJSON(world, result, f.strict)
	}
	return e.printResult(world, result, f.strict)
}

// readSuites reads every file, so that all faults come at once.
func readSuites(files []string) (suites []*cases.Suite, err error) {
	var faults strict.Faults
	for _, file := range files {
		s, more := readSuite(file, time.Now())
		suites = append(suites, s)
		faults = append(faults, more...)
	}
	if err := faults.Err(); err != nil {
		return nil, badSettings(err)
	}
	return suites, nil
}

// printResult prints failures first, then coverage, then one line about all.
func (e *env) printResult(w cases.World, r *cases.Result, strictly bool) error {
	for _, c := range r.Checks {
		if c.Failure != "" {
			fmt.Fprintf(e.stdout, "FAIL %s: %s\n     %s\n", placed(c.File, c.Line), c.Name, c.Failure)
		}
	}
	word := "warning"
	if strictly {
		word = "FAIL"
	}
	findings := append(r.Shadowed(), r.Unused()...)
	for _, f := range findings {
		fmt.Fprintf(e.stdout, "%s %s: %s\n", word, placed(w.File, f.Line), f.Message)
	}
	bad := r.Failed()
	fmt.Fprintf(e.stdout, "%s, %d failed, %s without use\n", counted(len(r.Checks), "case", "cases"), bad, counted(len(findings), "entry", "entries"))
	if strictly {
		bad += len(findings)
	}
	if bad > 0 {
		return &exitError{code: exitTests}
	}
	return nil
}

// resultJSON is what came of the tests, for programs.
type resultJSON struct {
	Cases    int           `json:"cases"`
	Failed   int           `json:"failed"`
	Failures []findingJSON `json:"failures"`
	Unused   []findingJSON `json:"without_use"` // entries that are never chosen, or exercised by no case
}

// findingJSON is something at a place of a file.
type findingJSON struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Name    string `json:"name,omitempty"` // of the case
	Message string `json:"message"`
}

func (e *env) printResultJSON(w cases.World, r *cases.Result, strictly bool) error {
	out := resultJSON{Cases: len(r.Checks), Failed: r.Failed(), Failures: []findingJSON{}, Unused: []findingJSON{}}
	for _, c := range r.Checks {
		if c.Failure != "" {
			out.Failures = append(out.Failures, findingJSON{c.File, c.Line, c.Name, c.Failure})
		}
	}
	for _, f := range append(r.Shadowed(), r.Unused()...) {
		out.Unused = append(out.Unused, findingJSON{File: w.File, Line: f.Line, Message: f.Message})
	}
	if err := e.printJSON(out); err != nil {
		return failed(err)
	}
	if out.Failed > 0 || strictly && len(out.Unused) > 0 {
		return &exitError{code: exitTests}
	}
	return nil
}
