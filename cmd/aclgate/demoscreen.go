package main

import (
	"fmt"
	"io"
	"net"
	"sync"

	"aclgate/metrics/record"
)

// demoScreen shows requests as they are answered.
type demoScreen struct {
	mu    sync.Mutex
	w     io.Writer
	names map[int64]string
}

func (d *demoScreen) intro(listen, admin net.Addr, backendURL, mqtt string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	api := "http://" + listen.String()
	host, port, _ := net.SplitHostPort(mqtt)
	client := fmt.Sprintf("-h %s -p %s -V 5", host, port)
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

Try, in another terminal:
  curl -s -H 'Authorization: FlespiToken demo-master'     '%s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-channels'   '%s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-channels'   '%s/gw/channels/2024?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-storage'    '%s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-containers' '%s/storage/containers' -d '[{"name": "container 42"}]'
  mosquitto_sub %s -u demo-channels -v -t 'flespi/state/gw/channels/+/name'
  mosquitto_pub %s -u demo-channels -q 1 -t lamp -m on

What becomes of each request (Ctrl-C ends the demo):
`, api, mqtt, backendURL, demoKey, admin, api, api, api, api, api, client, client)
}

// show prints one request in one line: who asked for what, the verdict and why, and what the
// backend got.
func (d *demoScreen) show(r *record.Record, method, asked, sent []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	who := d.names[r.TokenID]
	if who == "" {
		who = "-"
	}
	outcome := r.Reason.String()
	switch {
	case len(sent) > 0 && r.Denied > 0:
		outcome = fmt.Sprintf("%d denied, backend gets %s", r.Denied, sent)
	case len(sent) > 0 && string(sent) != string(asked):
		outcome = "backend gets " + string(sent)
	case len(sent) > 0:
		outcome = "as asked"
	}
	fmt.Fprintf(d.w, "%-15s %-6s %-36s %-6s %d  %s\n", who, shown(method), shown(asked), r.Verdict, r.Status, outcome)
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
