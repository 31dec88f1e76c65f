package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config/strict"
)

// timeFlag is a time in unix seconds, 0 for none. It takes a day, too, which means its beginning in
// UTC.
type timeFlag int64

var errTimeFlag = errors.New("expected a day such as 2027-01-01 or a time such as 2027-01-01T08:00:00Z, that is yet to come")

// Set implements pflag.Value.
func (m *timeFlag) Set(text string) error {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil || !t.After(time.Now()) {
		return errTimeFlag
	}
	*m = timeFlag(t.Unix())
	return nil
}

// String implements pflag.Value.
func (m *timeFlag) String() string {
	if *m == 0 {
		return ""
	}
	return time.Unix(int64(*m), 0).UTC().Format(time.RFC3339)
}

// Type implements pflag.Value.
func (m *timeFlag) Type() string { return "time" }

// durationFlag is a duration that takes days, too.
type durationFlag time.Duration

var errDurationFlag = errors.New("expected a while such as 90s, 15m, 2h or 7d")

// Set implements pflag.Value.
func (s *durationFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, found := strings.CutSuffix(text, "d"); found {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return errDurationFlag
	}
	*s = durationFlag(d)
	return nil
}

// String implements pflag.Value.
func (s *durationFlag) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Type implements pflag.Value.
func (s *durationFlag) Type() string { return "duration" }

// outputFlag is how a command prints what it has found.
type outputFlag string

// The outputs.
const (
	outputText outputFlag = "text" // for people
	outputJSON outputFlag = "json" // for programs
)

var errOutputFlag = errors.New("expected text or json")

// Set implements pflag.Value.
func (o *outputFlag) Set(text string) error {
	switch f := outputFlag(text); f {
	case outputText, outputJSON:
		*o = f
		return nil
	}
	return errOutputFlag
}

// String implements pflag.Value.
func (o *outputFlag) String() string { return cmp.Or(string(*o), string(outputText)) }

// Type implements pflag.Value.
func (o *outputFlag) Type() string { return "text|json" }

// add gives a command the flag --output.
func (o *outputFlag) add(c *cobra.Command) {
	c.Flags().Var(o, "output", "text, or json for programs")
}

// addJSON is add for a command whose scripts may say --json.
func (o *outputFlag) addJSON(c *cobra.Command) {
	o.add(c)
	short := c.Flags().VarPF((*jsonFlag)(o), "json", "", "the same as --output json")
	short.NoOptDefVal = "true"
	c.MarkFlagsMutuallyExclusive("json", "output")
}

// json reports whether a program reads what is printed.
func (o *outputFlag) json() bool { return *o == outputJSON }

// jsonFlag is --json, which says of an outputFlag what it is to be.
type jsonFlag outputFlag

// Set implements pflag.Value.
func (j *jsonFlag) Set(text string) error {
	on, err := strconv.ParseBool(text)
	if on {
		*j = jsonFlag(outputJSON)
	}
	return err
}

// String implements pflag.Value.
func (j *jsonFlag) String() string { return strconv.FormatBool(*j == jsonFlag(outputJSON)) }

// Type implements pflag.Value.
func (j *jsonFlag) Type() string { return "bool" }

// IsBoolFlag says that --json needs no value.
func (j *jsonFlag) IsBoolFlag() bool { return true }

// oneOf reports why a flag that was set is none of the known words: it names the nearest or, of a
// short list, all.
func oneOf(flag, word string, known []string) error {
	const short = 5
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	if near, found := strict.Nearest(word, known); found {
		return fmt.Errorf("%s: there is no %q: did you mean %q?", flag, word, near)
	}
	if len(known) <= short {
		return fmt.Errorf("%s: there is no %q: expected one of %s", flag, word, strings.Join(known, ", "))
	}
	return fmt.Errorf("%s: there is no %q: docs/reasons.md has them all", flag, word)
}
