package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testedPolicy = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME Fleet, parent: 1}
  - {id: 12, name: Rival Cars, parent: 1}
tokens:
  - id: 1
    key_sha256: 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090
    cid: 1
    expire: 2099-01-01T00:00:00Z
    access: {type: master}
  - id: 17
    key_sha256: 7ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118091
    info: ops viewer
    cid: 11
    expire: 2099-01-01T00:00:00Z
    access:
      type: acl
      acl:
        - {uri: gw/devices, methods: [GET], ids: [7, 9]}
        - {uri: gw/calcs, methods: [GET]}
`

// viewerTest is the example of docs/policy-tests.md.
const viewerTest = `suite: ops viewer
now: 2026-11-21T12:00:00Z
tokens:
  - {name: viewer, id: 17}
  - {name: master, id: 1}
items:                                    # what exists at the backend
  - {of: gw/devices, ids: [7, 9], cid: 11}
  - {of: gw/devices, ids: [20], cid: 12}  # of somebody else
cases:
  - name: all becomes the two devices
    as: viewer
    request: GET /gw/devices/all?fields=id
    expect: {verdict: narrow, backend: "GET /gw/devices/7,9?fields=id", entry: 1}
  - name: one foreign device among mine
    as: viewer
    request: GET /gw/devices/7,20/telemetry/all
    expect: {verdict: narrow, status: 200, denied: [20]}
  - name: nothing is written
    as: viewer
    request: DELETE /gw/devices/7
    expect: {verdict: deny, reason: no-entry, status: 403}
  - name: no other account
    as: viewer
    request: GET /gw/devices/all
    cid: 12
    expect: {verdict: deny, reason: foreign-account}
  - name: calculators are read
    as: viewer
    request: GET /gw/calcs/all
    expect: allow
matrix:                                   # who may do what to which device, and nobody else
  - ids: [7, 9, 20]
    requests: ["GET /gw/devices/{id}", "GET /gw/devices/{id}/messages", "PUT /gw/devices/{id}"]
    allow:
      - {token: viewer, ids: [7, 9], requests: ["GET /gw/devices/{id}", "GET /gw/devices/{id}/messages"]}
      - {token: master, ids: all}
`

// playTests runs the example against a policy and returns what the command said.
func playTests(t *testing.T, policy, suite string, flags ...string) (code int, stdout, stderr string) {
	t.Helper()
	folder := write(t, map[string]string{
		"policy.yaml": policy, "viewer_test.yaml": suite, "up.token": "upstream-key\n",
		"aclgate.yaml": "listen: {address: 127.0.0.1:8080}\nadmin: {address: 127.0.0.1:9090}\n" +
			"upstream: {urls: [\"http://127.0.0.1:9000\"], token_file: up.token}\nstore: {kind: file, path: policy.yaml}\n",
	})
	t.Chdir(folder)
	return once(t, append([]string{"test", "-c", filepath.Join(folder, "aclgate.yaml")}, flags...)...)
}

func TestPolicyTests(t *testing.T) {
	change := func(old, new string) string { return strings.Replace(testedPolicy, old, new, 1) }
	for _, row := range []struct {
		name, policy, suite string
		flags               []string
		code                int
		want                []string
	}{
		{"sound", testedPolicy, viewerTest, []string{"--strict"}, 0, []string{"23 cases, 0 failed, 0 entries without use"}},
		{"widened by an id", change("ids: [7, 9]", "ids: [7, 9, 20]"), viewerTest, nil, 4, []string{
			"FAIL viewer_test.yaml:32: matrix: GET /gw/devices/20 as viewer\n" +
				"     verdict is allow (permitted), want deny; entry 1 (policy.yaml:19) decides",
			"FAIL viewer_test.yaml:10: all becomes the two devices"}},
		{"widened by a method", change("gw/devices, methods: [GET]", "gw/devices, methods: [GET, PUT]"), viewerTest, nil, 4,
			[]string{"PUT /gw/devices/7 as viewer", "policy.yaml:19"}},
		{"shadowed", change("        - {uri: gw/calcs", "        - {uri: gw/devices, methods: [GET], ids: [7]}\n        - {uri: gw/calcs"), viewerTest,
			nil, 0, []string{"warning policy.yaml:20: entry 2 (gw/devices) of token 17 is never chosen: entry 1 (policy.yaml:19) comes first"}},
		{"not exercised", testedPolicy + "        - {uri: storage, methods: [GET]}\n", viewerTest, []string{"--strict"}, 4,
			[]string{"FAIL policy.yaml:21: entry 3 (storage) of token 17 is exercised by no case"}},
		{"slip", testedPolicy, strings.Replace(viewerTest, "as: viewer", "as: vewer", 1), nil, 3, []string{"viewer_test.yaml:11:9", `"vewer"`}},
		{"not a reason", testedPolicy, strings.Replace(viewerTest, "no-entry", "no-entri", 1), nil, 3, []string{`did you mean "no-entry"`}},
		{"broken policy", "tokens: 3\n", viewerTest, nil, 3, []string{"policy.yaml:1"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, stdout, stderr := playTests(t, row.policy, row.suite, row.flags...)
			if code != row.code {
				t.Errorf("got code %d, want %d: %s%s", code, row.code, stdout, stderr)
			}
			for _, want := range row.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("%q is missing in\n%s%s", want, stdout, stderr)
				}
			}
		})
	}
}

func TestPolicyTestsAsJUnit(t *testing.T) {
	code, stdout, _ := playTests(t, strings.Replace(testedPolicy, "ids: [7, 9]", "ids: [7]", 1), viewerTest, "--junit", "out.xml")
	text, err := os.ReadFile("out.xml")
	if err != nil || code != exitTests {
		t.Fatalf("got code %d, %v: %s", code, err, stdout)
	}
	for _, want := range []string{`<testsuite name="ops viewer" tests="23" failures="`, `file="viewer_test.yaml" line="10"`, "<failure message="} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}

// The example of the documentation is the one that is tested.
func TestPolicyTestsPage(t *testing.T) {
	text := readText(t, "..", "..", "docs", "policy-tests.md")
	if !strings.Contains(text, viewerTest) {
		t.Error("docs/policy-tests.md does not show the example that is tested")
	}
}

// topicTest are cases about topics; the second part of docs/policy-tests.md shows them.
const topicTest = `suite: topics
now: 2026-11-21T12:00:00Z
items:
  - {of: gw/devices, ids: [7, 9], cid: 11}
  - {of: gw/calcs, ids: [5], cid: 11}
cases:
  - name: a wildcard becomes the two devices
    as: 17
    subscribe: flespi/state/gw/devices/+/telemetry/#
    expect: {verdict: narrow, printed: [flespi/state/gw/devices/7/telemetry/#, flespi/state/gw/devices/9/telemetry/#]}
  - name: one foreign device among mine
    as: 17
    subscribe: flespi/message/gw/devices/7,20
    expect: {verdict: narrow, printed: [flespi/message/gw/devices/7], denied: [20]}
  - name: what is delivered is what a GET would show
    as: 17
    deliver: flespi/message/gw/devices/20
    expect: {verdict: deny, reason: denied-items}
  - name: intervals of my devices
    as: 17
    deliver: flespi/interval/gw/calcs/5/devices/7/created
    expect: allow
  - name: nobody makes REST calls by topic
    as: 1
    publish: flespi/rest/delete/gw/devices/7
    expect: {verdict: deny, reason: topic-rest}
  - name: my own topics
    as: 17
    publish: fleet/7/command
    expect: {verdict: allow, entry: 3}
  - name: and no others
    as: 17
    publish: fleet/7
    expect: {verdict: deny, reason: no-topic-entry}
`

func TestTopicCases(t *testing.T) {
	with := testedPolicy + "        - {uri: mqtt, topic: fleet/+/command, actions: [publish]}\n"
	code, stdout, stderr := playTests(t, with, topicTest, "--strict")
	if want := "7 cases, 0 failed, 0 entries without use\n"; code != 0 || stdout != want {
		t.Fatalf("got %d %q %q, want %q", code, stdout, stderr, want)
	}
	wider := strings.Replace(with, "ids: [7, 9]", "ids: [7, 9, 20]", 1)
	code, stdout, _ = playTests(t, strings.Replace(wider, "fleet/+/command", "fleet/#", 1), topicTest)
	for _, want := range []string{
		"viewer_test.yaml:7: a wildcard becomes the two devices: subscribe flespi/state/gw/devices/+/telemetry/# as token 17",
		"what the broker is asked for is flespi/state/gw/devices/7/telemetry/# | flespi/state/gw/devices/9/telemetry/# | flespi/state/gw/devices/20/telemetry/#, want",
		"what is denied is [], want [20]", "verdict is allow (permitted), want deny; reason is permitted, want denied-items",
		"verdict is allow (permitted), want deny; reason is permitted, want no-topic-entry; entry 3 (policy.yaml:21) decides: mqtt publish fleet/#",
		"7 cases, 4 failed, 0 entries without use",
	} {
		if code != exitTests || !strings.Contains(stdout, want) {
			t.Errorf("got %d %s, which lacks %q", code, stdout, want)
		}
	}
	both := strings.Replace(topicTest, "publish: fleet/7\n", "publish: fleet/7\n    request: GET /gw/devices/7\n", 1)
	if code, _, stderr = playTests(t, with, both); code != 3 || !strings.Contains(stderr, "one request, or one action on a topic") {
		t.Errorf("got %d %s", code, stderr)
	}
}
