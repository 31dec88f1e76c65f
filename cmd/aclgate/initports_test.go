package main

import (
	"path/filepath"
	"strings"
	"testing"

	"aclgate/bench/backend"
	"aclgate/deploy"
)

// Everything that init writes follows the ports that it is given.
func TestInitPorts(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		args []string
		file string
		want []string
	}{
		"settings": {nil, "aclgate.yaml", []string{`listen: {address: "127.0.0.1:8081"}`, `admin: {address: "127.0.0.1:9091"}`}},
		"tls":      {[]string{"--tls", "api.example.com"}, "aclgate.yaml", []string{`listen: {address: "127.0.0.1:8081", tls`}},
		"inside":   {[]string{"--compose"}, "aclgate.yaml", []string{`listen: {address: ":8081"}`, `admin: {address: ":9091"}`}},
		"outside":  {[]string{"--compose"}, composeName, []string{`- "127.0.0.1:8081:8081"`, `- "127.0.0.1:9091:9091"`}},
	} {
		folder, _ := initialised(t, backend.Options{Key: upstreamKey}, append(row.args, "--listen", "127.0.0.1:8081", "--admin-listen", "127.0.0.1:9091")...)
		text := readText(t, folder, row.file)
		for _, want := range row.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: got\n%s\nwant %s", name, text, want)
			}
		}
		if strings.Contains(text, "8080") || strings.Contains(text, "9090") {
			t.Errorf("%s: a usual port is left:\n%s", name, text)
		}
		if code, out, errs := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml")); code != exitOK {
			t.Errorf("%s: check: %d %s%s", name, code, out, errs)
		}
	}
	folder, _ := initialised(t, backend.Options{Key: upstreamKey}, "--systemd", "--listen", ":443")
	unit := readText(t, folder, unitName)
	for _, want := range []string{"\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n", "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n", "\nPrivateUsers=no\n"} {
		if !strings.Contains(unit, want) {
			t.Errorf("a port below 1024: the unit lacks %q", want)
		}
	}
	if strings.Contains(unit, "needs a drop-in") {
		t.Error("the unit tells of a drop-in that it does not need")
	}
	folder, _ = initialised(t, backend.Options{Key: upstreamKey}, "--compose", "--listen", ":8081")
	if text := readText(t, folder, composeName); !strings.Contains(text, `- "8081:8081"`) || !strings.Contains(text, `- "127.0.0.1:9090:9090"`) {
		t.Errorf("got\n%s", text)
	}
	if string(deploy.ComposeFor("", "8080", "127.0.0.1", "9090")) != string(deploy.Compose) {
		t.Error("the usual ports are not those of the file")
	}
}

// What is no address, or one that is taken, is said to be that.
func TestInitPortsInWords(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"--listen 8081":                 `--listen: expected host:port such as 127.0.0.1:8080, found "8081"`,
		"--admin-listen localhost:http": `--admin-listen: expected host:port such as 127.0.0.1:8080, found "localhost:http"`,
		"--compose --listen gw:8081":    `--listen: with --compose expected an IP address before the port, or none`,
		"--listen 127.0.0.1:9090":       "--listen and --admin-listen: ",
		"--listen 127.0.0.1:9000":       "is where the gateway itself would listen: name the backend, or another address with --listen",
	} {
		args := append([]string{"init", "--upstream", "http://127.0.0.1:9000", "-c", filepath.Join(t.TempDir(), "aclgate.yaml")}, strings.Fields(call)...)
		if code, out, errs := once(t, args...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: got %d %s%s, want %q", call, code, out, errs, want)
		}
	}
}
