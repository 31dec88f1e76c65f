package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages returns the texts that people read, by path from the root of the project. The contract and
// the changes are not among them: they tell of what was and what will be.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "../../README.md", "../../CONTRIBUTING.md", "../../bench/clients/README.md") {
		if filepath.Base(path) == "spec.md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(filepath.ToSlash(path), "../../")] = string(text)
	}
	return all
}

var (
	fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")
	span  = regexp.MustCompile("`([^`\n]+)`")
	quote = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// commandsOf returns the command lines of aclgate in a page: lines of fenced blocks, and code spans.
func commandsOf(text string) (all []string) {
	add := func(line string) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		line, _, _ = strings.Cut(line, "  #")
		for _, part := range regexp.MustCompile(`&&|\|`).Split(line, -1) {
			if part = strings.TrimSpace(part); strings.HasPrefix(part, "aclgate ") && !strings.HasPrefix(part, "aclgate …") {
				all = append(all, part)
			}
		}
	}
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(m[2]) {
			if m[1] == "sh" || strings.HasPrefix(line, "$ ") {
				add(line)
			}
		}
	}
	for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		add(m[1])
	}
	return all
}

// placeholder is what stands for a value in a command line.
var placeholder = regexp.MustCompile(`^[A-Z]+$|…`)

// Every command line in the documents is one that aclgate takes: its commands, flags and number of
// arguments.
func TestDocsCommands(t *testing.T) {
	n := 0
	for page, text := range pages(t) {
		for _, line := range commandsOf(text) {
			n++
			args := quote.FindAllString(line, -1)[1:]
			for i, arg := range args {
				args[i] = strings.Trim(arg, `'"`)
			}
			if i := slices.IndexFunc(args, func(a string) bool { return a == ">" || a == ">>" || a == "2>" || a == "<" }); i >= 0 {
				args = args[:i]
			}
			root := newRoot(io.Discard, io.Discard)
			root.InitDefaultHelpCmd()
			cmd, rest, err := root.Find(args)
			if err != nil {
				t.Errorf("%s: %s: %v", page, line, err)
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil && !placeholder.MatchString(line) {
				t.Errorf("%s: %s: %v", page, line, err)
				continue
			}
			if cmd.HasSubCommands() && len(cmd.Flags().Args()) > 0 {
				t.Errorf("%s: %s: %s has no command %s", page, line, cmd.CommandPath(), cmd.Flags().Arg(0))
			}
		}
	}
	if n < 100 {
		t.Errorf("got %d command lines, want what the pages have", n)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noMark  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the names that the headings of a page can be linked by.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(noMark.ReplaceAllString(m[1], "")), " ", "-")
		all[name] = true
	}
	return all
}

// Every link of a page leads to a file, and to a heading in it.
func TestDocsLinks(t *testing.T) {
	all := pages(t)
	contract, err := os.ReadFile("../../docs/spec.md")
	if err != nil {
		t.Fatal(err)
	}
	all["docs/spec.md"] = string(contract)
	n := 0
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
			}
			if _, err := os.Stat(filepath.Join("../..", target)); err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
				continue
			}
			if other, ok := all[target]; anchor != "" && ok && !anchors(other)[anchor] {
				t.Errorf("%s: %s: no such heading", page, m[1])
			}
		}
	}
	if n < 100 {
		t.Errorf("got %d links, want what the pages have", n)
	}
}
