package main

import (
	"path/filepath"
	"strings"
	"testing"
)

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
