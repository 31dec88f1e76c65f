package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	specHeading  = regexp.MustCompile(`(?m)^##+ (\d+(?:\.\d+)*)\.? `)
	specCitation = regexp.MustCompile(`SPEC (?:section )?(\d+(?:\.\d+)*(?:, \d+(?:\.\d+)*)*)`)
)

// TestDocsSpec: every section of the contract that a comment cites is in docs/spec.md.
func TestDocsSpec(t *testing.T) {
	sections := map[string]bool{}
	for _, m := range specHeading.FindAllStringSubmatch(readText(t, "../../docs/spec.md"), -1) {
		sections[m[1]] = true
	}
	cited := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range specCitation.FindAllStringSubmatch(string(text), -1) {
			for section := range strings.SplitSeq(m[1], ", ") {
				cited++
				if !sections[section] {
					t.Errorf("%s cites SPEC %s, which docs/spec.md does not have", filepath.ToSlash(path), section)
				}
			}
		}
		return err
	})
	if err != nil || cited < 100 {
		t.Errorf("got %d citations, %v: is this the right folder?", cited, err)
	}
}
