package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
)

func (e *env) metrics() *cobra.Command {
	var markdown bool
	var output outputFlag
	c := &cobra.Command{
		Use:   "metrics",
		Short: "Print every metric of /metrics, with its type, labels and meaning",
		Long: `Print every metric that the gateway exports, with its type, its labels and what
it counts. The list and /metrics come from the same table. Beside them there are
go_* and process_*, which the Prometheus client library documents.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case markdown:
				return writeMetricsPage(e.stdout)
			case output.json():
				return e.printJSON(metricLines())
			}
			return writeMetrics(e.stdout)
		},
	}
	output.add(c)
	c.Flags().BoolVar(&markdown, "markdown", false, "print the page of the documentation")
	c.MarkFlagsMutuallyExclusive("markdown", "output")
	return c
}

// metricLine is a metric as programs read it.
type metricLine struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Labels []string `json:"labels"`
	Help   string   `json:"help"`
}

func metricLines() (lines []metricLine) {
	for _, d := range metrics.Documented() {
		lines = append(lines, metricLine{d.Name, d.Kind.String(), append([]string{}, d.Labels...), d.Help})
	}
	return lines
}

func writeMetrics(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "METRIC\tTYPE\tLABELS\tMEANING")
	for _, d := range metrics.Documented() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Name, d.Kind, strings.Join(d.Labels, ","), d.Help)
	}
	return w.Flush()
}

const metricsIntro = `# Metrics

Made by ` + "`aclgate metrics --markdown`" + `, from the table that /metrics is made of.

The admin listener serves them at ` + "`/metrics`" + ` as text, OpenMetrics or protobuf, whichever the scraper asks for.
Every histogram is classic and native at once; the native form needs protobuf.

No label has an open set of values: token ids, paths, item ids and addresses are never labels. What does not belong
is counted under the first value of its label (` + "`other`, `unknown`, `none`" + `). So a client cannot make a series.

| metric | type | labels | meaning |
|---|---|---|---|
`

// writeMetricsPage prints docs/metrics.md.
func writeMetricsPage(w io.Writer) error {
	page := []byte(metricsIntro)
	for _, d := range metrics.Documented() {
		labels := "–"
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "`, `") + "`"
		}
		page = fmt.Appendf(page, "| `%s` | %s | %s | %s |\n", d.Name, d.Kind, labels, d.Help)
	}
	page = fmt.Appendf(page, "\nBeside them stand `go_*` and `process_*` of the Prometheus client library.\n\n"+
		"## Values of labels\n\n| label | values |\n|---|---|\n")
	for _, row := range labelRows() {
		page = fmt.Appendf(page, "| `%s` | %s |\n", row[0], row[1])
	}
	_, err := w.Write(page)
	return err
}

// labelRows says what each label can be. Which labels there are is compared with the table by a
// test.
func labelRows() [][2]string {
	var verdicts []string
	for _, v := range policy.Verdicts() {
		verdicts = append(verdicts, v.String())
	}
	return [][2]string{
		{"access", "`master`, `standard`, `acl`, `noapi`"},
		{"account", "an id of `metrics.accounts`"},
		{"action", "`" + strings.Join(record.Actions(), "`, `") + "`"},
		{"bound", "of connections `total`: `listen.max_connections`, `per_ip`: `listen.max_connections_per_ip`; of an account a name such as `api_calls` or `devices_count`"},
		{"by", "`limit`: of all zeros, or for a while, `hand`: `enabled` is false"},
		{"class", "`2xx` to `5xx`, `1xx`, `none`"},
		{"code", "a status such as `403`; rare ones under their class"},
		{"collection", "module and type such as `gw/devices`, see `aclgate routes`; `unknown`"},
		{"direction", "`in`: from clients, `out`: to them"},
		{"enforced", "the verdict that was enforced: `" + strings.Join(verdicts, "`, `") + "`"},
		{"fault", "`down`, `slow`, `credential`: it is refused, `version`: no MQTT 5, `refused` for another reason, `broken`: in mid-packet, or no MQTT"},
		{"goversion", "the Go version that built the binary"},
		{"holder", "whose bound was met: `token`, `account`, `strangers`; `callers`: all of them, where the rest is kept for the gateway's own readings"},
		{"issuer", "its name in `realms.issuers`"},
		{"kind", "`asked`, `printed`, `wide`"},
		{"method", "`GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `other`"},
		{"outcome", "`succeeded`, `failed`, `limited`: too many had failed, `busy`: too many at one time, `unavailable`: the store cannot say; of tokens from elsewhere `accepted`, `refused`, `unavailable`: the keys of the issuer cannot be read"},
		{"part", "`items`, `members` of groups"},
		{"path", "`granted`: grants beside the branch, `cross`: those of the account that `x-flespi-cid` names, in its place"},
		{"reason", fmt.Sprintf("one of %d words, see [reasons](reasons.md); of readings of the database `start`, `rewind`: it went back, `pruned`: the history is too short, `gap`: a revision is missing, `many`: a change too large to name its rows", len(policy.Reasons()))},
		{"resource", "`connections` to the backend, `queue` for them, `bodies`: memory for large ones"},
		{"result", "of a reload `succeeded`, `failed`; of the cache `hit`, `miss`, `negative`, `stale`; of limits `admitted`, `refused`, and of their exchange `exchanged`, `degraded`, `left`; of the audit log `written`, `dropped`, `failed`; of readings of the item index `succeeded`, `failed`"},
		{"revision", "the commit that the binary was built from"},
		{"scope", "`token`, `account`, `source`"},
		{"setting", "the one that names the file, such as `listen.tls.cert_file`"},
		{"shadow", "what `policy.shadow` would have done: a verdict, or `unresolved` where only the backend could tell"},
		{"sink", "`log`, `notify`: the service manager"},
		{"state", "`busy`, `idle`"},
		{"type", "of a packet of MQTT, such as `publish`"},
		{"upstream", "host and port of one of `upstream.urls`"},
		{"verdict", "`" + strings.Join(verdicts, "`, `") + "`"},
		{"version", "the release"},
		{"what", "`listen-tls`: the files of `listen.tls`, `upstream-tls`: those of `upstream.tls`, `upstream-names`: the hosts of `upstream.urls`, `keys`: the files of keys, `uses`: that of last uses, `mqtt-tls`: the files of `mqtt.tls`"},
		{"would", "what the entries would have done: a verdict, or `unresolved` where only the backend could tell"},
	}
}
