package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config/strict"
	"aclgate/policy/record"
)

// setFlag is --set of a command that makes or changes a record: any field that can be written, as
// FIELD=VALUE.
type setFlag struct {
	kind  *record.Kind
	names []string
	said  []string
}

// add gives a command --set, which the shell completes, and has its help name the fields. post says that
// the command makes records.
func (f *setFlag) add(c *cobra.Command, kind *record.Kind, post bool) {
	f.kind = kind
	for _, name := range kind.Writable(post) {
		if !kind.Field(name).Has(record.Secret) { // flags are in the list of processes
			f.names = append(f.names, name)
		}
	}
	c.Flags().StringArrayVar(&f.said, "set", nil, "a field and its value, such as "+f.example()+"; may be said again")
	err := c.RegisterFlagCompletionFunc("set", func(*cobra.Command, []string, string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
		for _, name := range f.names {
			all = append(all, cobra.CompletionWithDesc(name+"=", kind.Field(name).Says))
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	if err != nil {
		panic(err) // there is another: a mistake of the program
	}
	c.Long += "\n\n" + wrapped("--set takes any field that can be written, as JSON or as a text (docs/api.md says what each means): "+
		strings.Join(f.names, ", ")+".", 100)
}

// example returns a field with a value.
func (f *setFlag) example() string {
	if slices.Contains(f.names, "api_calls") {
		return "api_calls=600"
	}
	return `metadata='{"site":"north"}'`
}

// fields returns the fields that were said.
func (f *setFlag) fields() (map[string]any, error) {
	fields := map[string]any{}
	for _, text := range f.said {
		name, value, found := strings.Cut(text, "=")
		if !slices.Contains(f.names, name) {
			hint := "--help names them all"
			if near, close := strict.Nearest(name, f.names); close {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return nil, fmt.Errorf("--set: there is no field %q that could be written: %s", name, hint)
		}
		v, ok := valueOf(f.kind.Field(name), value)
		if !found || !ok {
			return nil, fmt.Errorf("--set: expected %s= and %s, found %q", name, f.kind.Field(name).Type, text)
		}
		fields[name] = v
	}
	return fields, nil
}

// valueOf reads the value of a field: of a text as it stands, of a time or a duration as the flags take them,
// of anything else as JSON. The API says what of it is wrong.
func valueOf(f *record.Field, text string) (any, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	switch f.Type {
	case record.Name, record.Line, record.IPs:
		return text, true
	case record.Bound:
		return n, err == nil
	case record.Time:
		var at timeFlag
		if err != nil {
			err = at.Set(text)
			n = int64(at)
		}
		return n, err == nil
	case record.Seconds:
		var d durationFlag
		if err != nil {
			err = d.Set(text)
			n = int64(time.Duration(d) / time.Second)
		}
		return n, err == nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), true
	}
	return text, true
}

// wrapped breaks a text into lines of at most width bytes, between words.
func wrapped(text string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
