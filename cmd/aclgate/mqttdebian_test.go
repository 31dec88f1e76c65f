package main

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// debian runs a program of Debian's mosquitto-clients at a door.
type debian struct {
	t  *testing.T
	at []string // arguments that lead to the door
}

func debianAt(t *testing.T, d door, version, key, ca string) *debian {
	t.Helper()
	u, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	at := []string{"-h", u.Hostname(), "-p", u.Port(), "-V", version, "-u", key}
	if u.Scheme == "mqtts" {
		at = append(at, "--cafile", ca)
	}
	return &debian{t, at}
}

// run runs a program to its end.
func (d *debian) run(program string, args ...string) (output string, code int) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program, append(slices.Clone(d.at), args...)...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// subscriber is a mosquitto_sub that runs.
type subscriber struct {
	t      *testing.T
	cmd    *exec.Cmd
	output safeBuffer
}

// subscribe starts mosquitto_sub and waits until it has what is retained for its last filter: it has
// all its subscriptions then.
func (d *debian) subscribe(args ...string) *subscriber {
	d.t.Helper()
	s := &subscriber{t: d.t, cmd: exec.Command("mosquitto_sub", append(slices.Clone(d.at), append(args, "-v")...)...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(s.kill)
	s.await("/ready yes\n")
	return s
}

// kill ends it without a DISCONNECT.
func (s *subscriber) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *subscriber) await(text string) {
	s.t.Helper()
	for range 400 {
		if strings.Contains(s.output.String(), text) {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.t.Fatalf("%q did not come: %s", text, s.output.String())
}

// TestMQTTDebian: mosquitto's own programs through the gateway in front of mosquitto, in each version,
// over TCP and TLS: what is permitted comes, live and retained, and the will too; what is not permitted
// does not, and they are told so as far as the version has a word for it.
func TestMQTTDebian(t *testing.T) {
	if _, err := exec.LookPath("mosquitto_sub"); err != nil {
		t.Skip("mosquitto_sub is not installed: apt-get install -y mosquitto-clients")
	}
	m := startMosquitto(t, lawAccounts+fmt.Sprintf(lawToken, "10101"))
	for i, d := range m.doors {
		if strings.HasPrefix(d.name, "ws") {
			continue // these programs have no WebSocket
		}
		ca := filepath.Join(m.gates[i/2].folder, "cert.pem")
		for version, refused := range map[string]string{"31": "not authorised", "311": "not authorised", "5": "Bad User Name or Password"} {
			t.Run(d.name+" "+version, func(t *testing.T) {
				platform := debianAt(t, m.broker, "5", "platform", "")
				stranger := debianAt(t, d, version, "no-such-key", ca)
				if text, code := stranger.run("mosquitto_sub", "-W", "5", "-t", "own/#"); code == 0 || !strings.Contains(text, refused) {
					t.Errorf("a bad key: %d, %q", code, text)
				}
				playDebian(platform, debianAt(t, d, version, "some-channels", ca), debianAt(t, d, version, validKey, ca), version == "5")
			})
		}
	}
}

// playDebian plays one version at one door: reader has some channels, all is a standard token.
func playDebian(platform, reader, all *debian, v5 bool) {
	t := reader.t
	t.Helper()
	pub := func(d *debian, args ...string) (string, int) { return d.run("mosquitto_pub", args...) }
	for _, id := range []string{"10101", "10102"} {
		pub(platform, "-q", "1", "-r", "-t", "flespi/state/gw/channels/"+id+"/name", "-m", "kept "+id)
	}
	for _, topic := range []string{"own/ready", "say/ready"} {
		pub(platform, "-q", "1", "-r", "-t", topic, "-m", "yes")
	}
	wildcard := reader.subscribe("-q", "2", "-t", "flespi/state/gw/channels/+/name", "-t", "own/#")
	byName, _ := reader.run("mosquitto_sub", "-W", "1", "-v", "-t", "flespi/state/gw/channels/10102/name")
	if strings.Contains(byName, "kept") || !strings.Contains(byName, "denied") {
		t.Errorf("a subscription to a foreign channel: %q", byName)
	}
	for _, id := range []string{"10102", "10101"} {
		pub(platform, "-q", "1", "-t", "flespi/state/gw/channels/"+id+"/name", "-m", "live "+id)
	}
	dying := all.subscribe("-t", "own/ready", "--will-topic", "own/will", "--will-payload", "gone", "--will-qos", "1")
	dying.kill()
	for qos := range 3 {
		pub(all, "-q", fmt.Sprint(qos), "-t", "own/a", "-m", fmt.Sprintf("QoS %d", qos))
	}
	everything := all.subscribe("-q", "1", "-t", "own/by-reader", "-t", "say/#")
	text, code := pub(reader, "-q", "1", "-t", "own/by-reader", "-m", "denied")
	if denied := strings.Contains(text, "Not authorized") || code != 0; denied != v5 {
		t.Errorf("a message that is denied: %d, %q", code, text)
	}
	if text, code := pub(reader, "-q", "2", "-t", "say/something", "-m", "heard"); code != 0 {
		t.Errorf("a message that is permitted: %d, %q", code, text)
	}
	everything.await("say/something heard")
	for _, want := range []string{"10101/name kept 10101", "10101/name live 10101", "own/will gone", "own/a QoS 0", "own/a QoS 1", "own/a QoS 2"} {
		wildcard.await(want)
	}
	for _, s := range []*subscriber{wildcard, everything} {
		if text := s.output.String(); strings.Contains(text, " 10102") || strings.Contains(text, "denied") {
			t.Errorf("it got what it may not see: %s", text)
		}
	}
}
