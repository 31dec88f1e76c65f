package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aclgate/bench/broker"
	"aclgate/metrics"
	"aclgate/policy"
)

const deployFolder = "../../deploy"

func readText(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// scrape returns the names of all samples of a gateway that has whatever there is to export, and
// has served every kind of request.
func scrape(t *testing.T) map[string]bool {
	t.Helper()
	g := startMQTT(t, siteOptions{
		settings: "scope: {mode: both}\naudit: {path: audit.jsonl}\npolicy: {enforce: false, shadow: shadow.yaml}\nlimits: {}\n",
		policy:   demoPolicy, files: map[string]string{"shadow.yaml": strings.ReplaceAll(demoPolicy, "gw/channels", "gw/devices")},
	}, ", namespace: cid")
	c, _ := dialMQTT(t, tcp(t, g.plain), "demo-channels")
	c.subscribe("flespi/state/gw/channels/#")
	g.broker.Publish(broker.Message{Topic: "flespi/state/gw/channels/2025/name"}) // of no account
	c.send([]byte{0xc0, 0})
	c.next() // PINGRESP, behind it
	for _, path := range []string{"all", "2024", "2024,2025", "2025"} {
		call(t, "demo-channels", "GET", g.api+"/gw/channels/"+path, "")
	}
	sendRaw(t, strings.TrimPrefix(g.api, "http://"), "GET /gw/devices/7 HTTP/1.1\r\n\r\n") // a head without Host
	names := map[string]bool{}
	database := startDatabase(t)
	files := pems()
	files["redis.url"] = "unix:///nowhere" // what is told to nobody is counted all the same
	secure := newSite(t, siteOptions{
		listen: ", tls: {cert_file: cert.pem, key_file: cert.key}", files: files, settings: "limits: {shared: redis, redis_url_file: redis.url}\nrealms: {issuers: [{name: corp, issuer: 'https://127.0.0.1:1'}]}\nmetrics: {accounts: [11]}\n",
		policy: strings.Replace(fmt.Sprintf(gatePolicy, ""), "name: fleet", "name: fleet, limit_id: 5", 1) + "limits: [{id: 5, cid: 1, name: small, api_calls: 600}]\n",
	})
	start(t, "serve", "-c", secure.file()).await(secure.admin+"/readyz", 200)
	for line := range strings.Lines(g.scrape() + database.scrape() + secure.scrape()) {
		if name := regexp.MustCompile(`^[a-z_:0-9]+`).FindString(line); name != "" {
			names[name] = true
		}
	}
	return names
}

// sendRaw sends bytes and waits for the end of the answer.
func sendRaw(t *testing.T, address, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, conn)
}

// TestDocumentedMetricsAreLive: every metric of the list is in a scrape, and nothing of ours is in
// a scrape that is not in the list.
func TestDocumentedMetricsAreLive(t *testing.T) {
	t.Parallel()
	live := scrape(t)
	listed := map[string]bool{}
	for _, d := range metrics.Documented() {
		names := []string{d.Name}
		if d.Kind == metrics.Histogram {
			names = []string{d.Name + "_bucket", d.Name + "_count", d.Name + "_sum"}
		}
		for _, n := range names {
			listed[n] = true
			if !live[n] {
				t.Errorf("%s is documented, but not scraped", n)
			}
		}
	}
	for n := range live {
		if strings.HasPrefix(n, "aclgate_") && !listed[n] {
			t.Errorf("%s is scraped, but not documented", n)
		}
	}
}

var (
	rawMetric   = regexp.MustCompile(`(?:^|[^a-z0-9_:/])((?:aclgate|go|process)_[a-z0-9_]+)(?:[^a-z0-9_:.]|$)`)
	ruleMetric  = regexp.MustCompile(`[a-z_]+:aclgate_[a-z0-9_]+:[a-z0-9_]+`)
	recordLine  = regexp.MustCompile(`(?m)^ *- record: (.+)$`)
	alertLine   = regexp.MustCompile(`(?m)^ *- alert: (.+)$`)
	runbookLine = regexp.MustCompile(`runbook_url: 'docs/operate\.md#(.+)'`)
)

// TestDeployNamesLiveMetrics: rules, alerts, their tests and the dashboard name no metric that a
// gateway does not export, and no rule that is not there.
func TestDeployNamesLiveMetrics(t *testing.T) {
	t.Parallel()
	live := scrape(t)
	recorded := map[string]bool{}
	for _, m := range recordLine.FindAllStringSubmatch(readText(t, deployFolder, "prometheus/aclgate.rules.yml"), -1) {
		recorded[m[1]] = false
	}
	for _, file := range []string{
		"prometheus/aclgate.rules.yml", "prometheus/aclgate.alerts.yml", "prometheus/aclgate.test.yml",
		"prometheus/aclgate.days.test.yml", "grafana/aclgate.json",
	} {
		text := readText(t, deployFolder, file)
		for _, m := range rawMetric.FindAllStringSubmatch(text, -1) {
			if !live[m[1]] {
				t.Errorf("%s names %s, which no scrape has", file, m[1])
			}
		}
		for _, name := range ruleMetric.FindAllString(text, -1) {
			if _, found := recorded[name]; !found {
				t.Errorf("%s names %s, which no rule records", file, name)
			} else if !strings.HasSuffix(file, "rules.yml") {
				recorded[name] = true
			}
		}
	}
	for name, used := range recorded {
		if !used {
			t.Errorf("%s is recorded, but nobody uses it", name)
		}
	}
}

// TestDashboard: it is JSON, answers in its order, and no panel asks nothing.
func TestDashboard(t *testing.T) {
	var board struct {
		Panels []struct {
			Type, Title string
			ID          int
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readText(t, deployFolder, "grafana/aclgate.json")), &board); err != nil {
		t.Fatal(err)
	}
	var rows []string
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if p.Type == "row" {
			rows = append(rows, p.Title)
		} else if len(p.Targets) == 0 || p.Targets[0].Expr == "" {
			t.Errorf("panel %q asks nothing", p.Title)
		}
		if ids[p.ID] {
			t.Errorf("panel %q has the id %d of another one", p.Title, p.ID)
		}
		ids[p.ID] = true
	}
	want := []string{"Is it fine?", "Who is denied, and why", "Freshness", "Item index", "Upstream", "Cache and limits", "MQTT", "Store", "Accounts", "Process"}
	if !slices.Equal(rows, want) {
		t.Errorf("got rows %q, want %q", rows, want)
	}
}

// TestPolicyDenials: the rule about denials of the policy counts exactly the reasons that are
// answered with a 403, also those that will be added.
func TestPolicyDenials(t *testing.T) {
	text := readText(t, deployFolder, "prometheus/aclgate.rules.yml")
	m := regexp.MustCompile(`reason=~"(denied-items[^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("the rule is not there")
	}
	pattern := regexp.MustCompile("^(?:" + m[1] + ")$") // Prometheus anchors
	for _, r := range policy.Reasons() {
		status := r.Answer().Status
		if got, want := pattern.MatchString(r.String()), status == 403; got != want {
			t.Errorf("%s (%d): got %v, want %v", r, status, got, want)
		}
	}
}

// TestRunbooks: every alert has its paragraph, every paragraph its alert.
func TestRunbooks(t *testing.T) {
	alerts := map[string]bool{}
	text := readText(t, deployFolder, "prometheus/aclgate.alerts.yml")
	links := runbookLine.FindAllStringSubmatch(text, -1)
	for i, m := range alertLine.FindAllStringSubmatch(text, -1) {
		alerts[m[1]] = true
		if i >= len(links) || links[i][1] != strings.ToLower(m[1]) {
			t.Fatalf("%s: its runbook has another name", m[1])
		}
	}
	documented := map[string]bool{}
	for line := range strings.Lines(readText(t, "../../docs/operate.md")) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "### Aclgate"); found {
			documented["Aclgate"+name] = true
		}
	}
	if !maps.Equal(alerts, documented) {
		t.Errorf("got paragraphs for %v, want %v", documented, alerts)
	}
}
