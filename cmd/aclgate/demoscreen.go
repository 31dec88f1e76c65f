package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
)

// demoScreen shows requests of one gateway as they are answered, and the steps of MQTT sessions.
type demoScreen struct {
	mu   sync.Mutex
	w    io.Writer
	name string // in front of each line; "": there is one gateway
	skip int    // how many requests are shown by the tour
}

// demoIntro is what the intro says beside the addresses of the gateways.
type demoIntro struct {
	backend, mqtt, store, settings string
	tour                           bool
}

// demoStage is where all gateways of a demo are shown.
type demoStage struct {
	w     io.Writer
	about demoIntro

	served chan struct{} // closed when all gateways serve and the intro is shown
	first  *demoScreen   // of the first gateway

	mu    sync.Mutex
	apis  []net.Addr // nil: not yet ready
	admin net.Addr   // of the first
}

// screen returns that of the gateway of that number.
func (d *demoStage) screen(i int) *demoScreen {
	s := &demoScreen{w: d.w}
	if len(d.apis) > 1 {
		s.name = fmt.Sprintf("%d: ", i+1)
	}
	if i == 0 {
		d.first = s
	}
	return s
}

// ready notes that a gateway serves. When all do, it says what to try.
func (d *demoStage) ready(i int, api, admin net.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i == 0 {
		d.admin = admin
	}
	if d.apis[i] = api; !slices.Contains(d.apis, nil) {
		d.intro()
		close(d.served)
	}
}

// tour plays the tour once all gateways serve.
func (d *demoStage) tour(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.served:
	}
	t := &tour{w: d.w, api: "http://" + d.apis[0].String(), admin: "http://" + d.admin.String(), skip: d.first.skipOne}
	if err := t.play(ctx); ctx.Err() == nil {
		return err
	}
	return nil // somebody has seen enough
}

func (d *demoStage) intro() {
	about, api := d.about, "http://"+d.apis[0].String()
	fmt.Fprintf(d.w, `aclgate demo
  API      %s
  MQTT     %s
  backend  %s  (fake: channels 2024-2026, containers 5126-5128, abques 7756-7758)
           takes one key, the gateway's own: %s
  admin    http://%s/metrics

What the tokens may do:
  demo-master      everything
  demo-channels    GET and PUT of the channels 2025 and 2026
  demo-storage     GET of all that is stored: containers, abques
  demo-containers  GET, POST, PUT and DELETE of containers
`, api, about.mqtt, about.backend, demoKey, d.admin)
	if about.tour {
		return
	}
	d.introRequests(api)
	d.introStore()
	fmt.Fprint(d.w, "\nWhat becomes of each request (Ctrl-C ends the demo):\n")
}

// introRequests says what to try as a client.
func (d *demoStage) introRequests(api string) {
	fmt.Fprintf(d.w, `
Try, in another terminal:
  curl -s -H 'Authorization: FlespiToken demo-master'     '%[1]s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-channels'   '%[1]s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-channels'   '%[1]s/gw/channels/2024?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-storage'    '%[1]s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-containers' '%[1]s/storage/containers' -d '[{"name": "container 42"}]'
`, api)
	host, port, _ := net.SplitHostPort(d.about.mqtt)
	fmt.Fprintf(d.w, `  mosquitto_sub %[1]s -u demo-channels -v -t 'flespi/state/gw/channels/+/name'
  mosquitto_sub %[1]s -u demo-channels -v -t 'flespi/state/gw/channels/2024/name'
  mosquitto_sub %[1]s -u demo-master -v -t '#'
  mosquitto_pub %[1]s -u demo-master -q 1 -t lamp -m on
  mosquitto_pub %[1]s -u demo-channels -q 1 -t lamp -m on
`, fmt.Sprintf("-h %s -p %s -V 5", host, port))
}

// introStore says how tokens are changed while the demo runs.
func (d *demoStage) introStore() {
	if d.about.store == demoFile {
		return
	}
	fmt.Fprintf(d.w, `
List the tokens as the tutorial does: the demo keeps their keys, sealed, and shows them to their master.
  curl -s -H 'Authorization: FlespiToken demo-master' '%[2]s/platform/customer/tokens/all?fields=key,acl'

Revoke a token: the request after it is a 401. Make one: it is valid at once.
  aclgate -c %[1]s token list
  aclgate -c %[1]s token disable 2     # demo-channels; enable gives it back
  aclgate -c %[1]s token revoke 4      # demo-containers
  aclgate -c %[1]s token new --cid 1 --access '{"type":2,"acl":[{"uri":"gw/channels","methods":["GET"],"ids":[2024]}]}'
  aclgate -c %[1]s changes
`, d.about.settings, "http://"+d.apis[0].String())
	if len(d.apis) == 1 {
		return
	}
	var all []string
	for _, a := range d.apis {
		all = append(all, "http://"+a.String())
	}
	fmt.Fprintf(d.w, `
%d gateways obey one database: %s
When the first line here has returned, all of them refuse the token:
  aclgate -c %s token revoke 3 --wait
  for api in %s; do curl -s -H 'Authorization: FlespiToken demo-storage' $api/storage/containers/all; done
`, len(all), strings.Join(all, ", "), d.about.settings, strings.Join(all, " "))
}

// skipOne leaves one request out, which is shown by who sends it.
func (d *demoScreen) skipOne() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.skip++
}

// show prints one request in one line: who asked for what, the verdict and why, and what the
// backend got.
func (d *demoScreen) show(r *record.Record, method, asked, sent []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.skip > 0 {
		d.skip--
		return
	}
	who := demoName(r.TokenID)
	outcome := r.Reason.String()
	switch {
	case len(sent) > 0 && r.Denied > 0:
		outcome = fmt.Sprintf("%d denied, backend gets %s", r.Denied, sent)
	case len(sent) > 0 && string(sent) != string(asked):
		outcome = "backend gets " + string(sent)
	case len(sent) > 0:
		outcome = "as asked"
	}
	fmt.Fprintf(d.w, d.name+"%-15s %-6s %-36s %-6s %d  %s\n", who, shown(method), shown(asked), r.Verdict, r.Status, outcome)
}

// showTopic prints one step of an MQTT session in one line: who did what, the verdict, the code that
// the client gets, and why, or what the broker is asked for. A client that just leaves is no news.
func (d *demoScreen) showTopic(t *record.Topic, made *topic.Subscription) {
	if t.Action == record.End && t.Verdict != policy.Deny {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	who := demoName(t.TokenID)
	outcome := t.Reason.String()
	if made != nil && len(made.Printed) > 0 {
		outcome = "broker gets " + made.Printed[0].Filter
	}
	if made != nil && len(made.Printed) > 1 {
		outcome += fmt.Sprintf(" and %d more", len(made.Printed)-1)
	}
	about := "-"
	if text := t.AppendTopic(nil); len(text) > 0 {
		about = shown(text)
	}
	fmt.Fprintf(d.w, d.name+"%-15s %-9s %-33s %-6s 0x%02x %s\n", who, t.Action, about, t.Verdict, t.Code, outcome)
}

// demoName returns what the screen calls a token; "-" for none.
func demoName(token int64) string {
	switch name := demoNames[token]; {
	case name != "":
		return name
	case token != 0:
		return fmt.Sprint("token ", token)
	}
	return "-"
}

// shown returns what a client asked for, fit for a terminal: "?" for what was not read, because the
// head was broken before it.
func shown(asked []byte) string {
	const most = 80
	if len(asked) == 0 {
		return "?"
	}
	b := make([]byte, 0, most)
	for _, c := range asked[:min(len(asked), most)] {
		if c <= ' ' || c > '~' {
			c = '?'
		}
		b = append(b, c)
	}
	return string(b)
}
