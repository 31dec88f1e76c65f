package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aclgate/config"
)

// cut ends an example of docs/decisions.md of which only the beginning is shown.
const cut = "…\n"

var example = regexp.MustCompile("(?s)```text\n\\$ aclgate (explain [^\n]*)\n(.*?)```\n")

// TestPageOfDecisions: every example on the page was run, with the policy on the page. -update runs
// them again.
func TestPageOfDecisions(t *testing.T) {
	text := readText(t, "../../docs/decisions.md")
	policy := regexp.MustCompile("(?s)```yaml\n(accounts:.*?)```").FindStringSubmatch(text)
	if policy == nil {
		t.Fatal("the page shows no policy")
	}
	folder := write(t, map[string]string{
		"policy.yaml": policy[1], "upstream.token": "upstream-key-0123456789\n",
		"aclgate.yaml": string(config.Smallest(config.Start{Upstream: "http://127.0.0.1:9000", TokenFile: "upstream.token", Mode: config.ScopeHeader})),
	})
	want := example.ReplaceAllStringFunc(text, func(block string) string {
		m := example.FindStringSubmatch(block)
		code, stdout, stderr := once(t, append(words(m[1]), "-c", filepath.Join(folder, "aclgate.yaml"))...)
		if code != exitOK {
			t.Errorf("%s: got %d: %s", m[1], code, stderr)
		}
		if strings.HasSuffix(m[2], cut) {
			head, _, _ := strings.Cut(stdout, "\n\nPath")
			stdout = head + "\n" + cut
		}
		return "```text\n$ aclgate " + m[1] + "\n" + stdout + "```\n"
	})
	page(t, "decisions.md", want)
}

// words splits a command line as a shell does, as far as single quotes.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}
