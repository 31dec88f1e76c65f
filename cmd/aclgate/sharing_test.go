package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Grants at the command line: they are made, linked, shown, and end.
func TestGrantCommands(t *testing.T) {
	t.Parallel()
	g := startPlatform(t, true, "scope: {owners: store, mode: ids}\n")
	id := strings.TrimSpace(g.runs(exitOK, "grant", "new", "--cid", "11", "--name", "all", "--give", "gw/devices=all:view,edit", "--expire", "2099-01-01T00:00:00Z"))
	g.runs(exitOK, "grant", "link", id, "12")
	if out := g.runs(exitOK, "grant", "list"); !strings.Contains(out, "gw/devices view,edit") || !strings.Contains(out, "until 2099-01-01") {
		t.Errorf("got %s", out)
	}
	g.runs(exitOK, "grant", "edit", id, "--give", "account:operate-as")
	if out := g.runs(exitOK, "grant", "show", id); !strings.Contains(out, `"operate-as"`) || !strings.Contains(out, `"expire": 4070908800`) || !strings.Contains(out, "\"grantees\": [\n    12\n  ]") {
		t.Errorf("got %s", out)
	}
	if out := g.runs(exitFailed, "grant", "link", id, "1"); !strings.Contains(out, "lies above it") {
		t.Errorf("got %s", out)
	}
	g.runs(exitOK, "grant", "disable", id)
	if out := g.runs(exitOK, "grant", "list"); !strings.Contains(out, "disabled") {
		t.Errorf("got %s", out)
	}
	g.runs(exitOK, "grant", "unlink", id, "12")
	g.runs(exitFailed, "grant", "unlink", id, "12")
	g.runs(exitOK, "grant", "delete", id)
	for _, give := range []string{"gw/devices", "gw/devices=7", "gw/devices=x:view", ":view", "gw/device=7:view"} {
		g.runs(exitUsage, "grant", "new", "--cid", "11", "--name", "x", "--give", give)
	}
	g.runs(exitUsage, "grant", "new", "--name", "x")
	g.runs(exitUsage, "grant", "link", id, "x")
}

// Each task of docs/sharing.md is a policy and a test of it: they are run as they stand there.
func TestDocsSharing(t *testing.T) {
	page := readText(t, "..", "..", "docs", "sharing.md")
	tasks := strings.Split(page, "\n## ")[1:]
	if len(tasks) != 4 {
		t.Errorf("got %d tasks, want 4", len(tasks))
	}
	for _, task := range tasks {
		title, _, _ := strings.Cut(task, "\n")
		blocks := fence.FindAllStringSubmatch(task, -1)
		if len(blocks) != 2 {
			t.Errorf("%s: got %d blocks, want a policy and a test", title, len(blocks))
			continue
		}
		folder := write(t, map[string]string{
			"policy.yaml": blocks[0][2], "sharing_test.yaml": blocks[1][2], "up.token": "upstream-key\n",
			"aclgate.yaml": "listen: {address: 127.0.0.1:8080}\nadmin: {address: 127.0.0.1:9090}\nscope: {mode: ids}\n" +
				"upstream: {urls: [\"http://127.0.0.1:9000\"], token_file: up.token}\nstore: {kind: file, path: policy.yaml}\n",
		})
		code, stdout, stderr := once(t, "test", "-c", filepath.Join(folder, "aclgate.yaml"), filepath.Join(folder, "sharing_test.yaml"))
		if code != 0 || strings.Contains(stdout+stderr, "warning") {
			t.Errorf("%s: code %d\n%s%s", title, code, stdout, stderr)
		}
	}
}
