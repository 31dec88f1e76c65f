package main

import (
	"encoding/xml"
	"fmt"
	"os"

	"aclgate/policy/cases"
)

// The elements of JUnit's XML, as far as build servers read them.
type (
	junitSuites struct {
		XMLName xml.Name      `xml:"testsuites"`
		Suites  []*junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
	}
)

// writeJUnit writes the outcome for build servers.
func writeJUnit(file string, r *cases.Result) error {
	var doc junitSuites
	for _, c := range r.Checks {
		n := len(doc.Suites)
		if n == 0 || doc.Suites[n-1].Name != c.Suite {
			doc.Suites = append(doc.Suites, &junitSuite{Name: c.Suite})
			n++
		}
		s := doc.Suites[n-1]
		row := junitCase{Name: c.Name, Class: c.Suite, File: c.File, Line: c.Line}
		if s.Tests++; c.Failure != "" {
			s.Failures++
			row.Failure = &junitFailure{c.Failure}
		}
		s.Cases = append(s.Cases, row)
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write the outcome: %w", err)
	}
	return nil
}
