package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/policy/store"
)

var update = flag.Bool("update", false, "write the pages of docs/ that are made from code anew")

// page compares a page of docs/ with what the code says; -update writes it.
func page(t *testing.T, name, want string) {
	t.Helper()
	file := filepath.Join("..", "..", "docs", name)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := readText(t, file); got != want {
		t.Errorf("docs/%s is not what the code says: run go test ./cmd/aclgate -run TestPage -update", name)
	}
}

func TestPageOfMetrics(t *testing.T) {
	code, stdout, stderr := once(t, "metrics", "--markdown")
	if code != exitOK {
		t.Fatalf("got %d: %s", code, stderr)
	}
	page(t, "metrics.md", stdout)
}

// TestMetricsTable: the table for a terminal names every metric, and the page says of every label
// what it can be.
func TestMetricsTable(t *testing.T) {
	code, stdout, stderr := once(t, "metrics")
	if code != exitOK {
		t.Fatalf("got %d: %s", code, stderr)
	}
	var labels, explained []string
	for _, d := range metrics.Documented() {
		if !strings.Contains(stdout, d.Name+" ") || !strings.Contains(stdout, d.Help) {
			t.Errorf("%s is not in the table", d.Name)
		}
		labels = append(labels, d.Labels...)
	}
	for _, row := range labelRows() {
		explained = append(explained, row[0])
	}
	slices.Sort(labels)
	if labels = slices.Compact(labels); !slices.Equal(explained, labels) {
		t.Errorf("got explained labels %q, want %q", explained, labels)
	}
}

const settingsIntro = `# Settings

Made by ` + "`go test ./cmd/aclgate -run TestPage -update`" + ` from the table that reads them.

Settings are in ` + "`aclgate.yaml`" + `; ` + "`-c FILE`" + ` names another file. Every one has a default. A key that is not in this list is an error, which names the
nearest one that is. ` + "`aclgate check`" + ` names every fault with its line and column. Settings are read once, at start; the policy, the keys
and the TLS files are read again while it runs.

A file is relative to the folder of the settings. A size is a number of bytes, or one with KiB, MiB, GiB or TiB. Durations are written like 500ms, 10s, 2m,
1h30m or 30d, rates like 50/s or 600/m.

`

func TestPageOfSettings(t *testing.T) {
	var b strings.Builder
	b.WriteString(settingsIntro)
	section := ""
	for _, s := range config.Reference() {
		if top, _, _ := strings.Cut(s.Path, "."); top != section {
			section = top
			fmt.Fprintf(&b, "## %s\n\n| setting | takes | default | meaning |\n|---|---|---|---|\n", top)
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", s.Path, cell(s.Type), s.Default, cell(s.Doc))
		if next := nextSection(s.Path); next != section {
			b.WriteString("\n")
		}
	}
	b.WriteString("## All of them in one file\n\nEach with its default or, if there is none, an example.\n\n```yaml\n")
	b.WriteString(strings.TrimSpace(readText(t, "../../config/testdata/aclgate.full.yaml")) + "\n```\n")
	page(t, "settings.md", b.String())
}

const policyIntro = `# The policy file

Made by ` + "`go test ./cmd/aclgate -run TestPage -update`" + ` from the table that reads it.

` + "`policy.yaml`" + `, which ` + "`store.path`" + ` names, holds accounts and tokens. A name that ends in ` + "`.json`" + ` is read as JSON, with the same keys. A key that is
not in this list is an error. ` + "`aclgate check`" + ` names every fault with its line and column; a policy with a fault is not obeyed, and the one before stays in
force. An ACL that was exported from flespi as JSON loads as it is.

` + "```yaml" + `
accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME Fleet, parent: 1}
tokens:
  - id: 17
    key_sha256: 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090
    info: ACME dashboard
    cid: 11
    expire: 2030-01-01T00:00:00Z
    access:
      type: acl
      acl:
        - {uri: gw/devices, methods: [GET], ids: [7, 9], submodules: [{name: messages, methods: [GET]}]}
        - {uri: storage/containers, methods: [GET, POST, PUT, DELETE]}
` + "```" + `

Editors complete and check it with [its JSON Schema](schema/policy.json), which ` + "`aclgate schema policy`" + ` prints.

| key | takes | without it | meaning |
|---|---|---|---|
`

func TestPageOfPolicy(t *testing.T) {
	var b strings.Builder
	b.WriteString(policyIntro)
	for _, f := range store.Reference() {
		absent := f.Default
		if f.Required {
			absent = "**required**"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Path, cell(f.Type), cell(absent), cell(f.Doc))
	}
	page(t, "policy.md", b.String())
}

// The schemas are published as files, too.
func TestPageOfSchemas(t *testing.T) {
	for name, schema := range schemas {
		page(t, "schema/"+name+".json", string(schema()))
	}
}

// nextSection returns the section of the setting after that of path.
func nextSection(path string) string {
	rows := config.Reference()
	i := slices.IndexFunc(rows, func(s config.Setting) bool { return s.Path == path })
	if i+1 == len(rows) {
		return ""
	}
	top, _, _ := strings.Cut(rows[i+1].Path, ".")
	return top
}

// cell escapes what would end a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

const cliIntro = `# Commands

Made by ` + "`go test ./cmd/aclgate -run TestPage -update`" + ` from the commands themselves; ` + "`aclgate help COMMAND`" + ` says the same.

Every command takes ` + "`-c FILE`, `--config FILE`" + ` (default ` + "`aclgate.yaml`" + ` in the current folder). Keys come from files, stdin or the environment, never from flags.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | failure: the gateway cannot be reached, a request was cut, nothing was found |
| 2 | the command line is wrong |
| 3 | settings or policy are invalid; every fault is named with file, line and column |
| 4 | a policy test failed |
| 5 | a bench gate failed |
`

func TestPageOfCommands(t *testing.T) {
	root := newRoot(io.Discard, io.Discard)
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	b.WriteString(cliIntro)
	describe(&b, root)
	page(t, "cli.md", b.String())
}

// describe prints the commands below c, each with all there is to say.
func describe(b *strings.Builder, c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" {
			continue
		}
		text := sub.Long
		if text == "" {
			text = sub.Short + "."
		}
		use := strings.TrimSuffix(sub.UseLine(), " [flags]")
		fmt.Fprintf(b, "\n## %s\n\n```\n%s\n```\n\n%s\n", sub.CommandPath(), use, strings.TrimSpace(fenced(text)))
		if sub.Name() == "completion" {
			continue // its children differ in the shell alone
		}
		if sub.Example != "" {
			fmt.Fprintf(b, "\n```\n%s\n```\n", sub.Example)
		}
		if flags := sub.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
			fmt.Fprintf(b, "\n```\n%s```\n", flags.FlagUsages())
		}
		describe(b, sub)
	}
}

// fenced sets the indented lines of a help text, which are commands to type, as such.
func fenced(text string) string {
	return regexp.MustCompile(`(?m)(^  .+\n?)+`).ReplaceAllStringFunc(text, func(s string) string {
		return "```sh\n" + regexp.MustCompile(`(?m)^  `).ReplaceAllString(strings.TrimRight(s, "\n"), "") + "\n```\n"
	})
}
