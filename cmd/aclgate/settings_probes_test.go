package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"aclgate/config"
)

// trialRequest is one request, and what has to become of it.
type trialRequest struct {
	name, key, method, target string
	body                      string
	header                    map[string]string
	isStream                  bool // the body has no length
	isRefusedEarly            bool // before the limits count
	want                      func(*outlook) wanted
}

// wanted is the right answer. What is not set is not looked at.
type wanted struct {
	status       int
	rows, denied []int64           // ids, ascending; not nil: exactly these
	header       map[string]string // "-": there is none
	says         string            // part of the body
	sent         string            // part of the target that the backend gets; "-": it gets nothing
}

// reply is what became of a request.
type reply struct {
	status       int
	header       http.Header
	text         string
	rows, denied []int64
	sent         []string // targets that the backend got, in the caller's name
	sentHeaders  string
}

var ids = func(all ...int64) []int64 { return append([]int64{}, all...) }

const (
	rootKey, fleetKey, aclKey = "root-master-key", "fleet-standard-key", "fleet-acl-key"
	boundKey                  = "fleet-bound-key"
)

// oneIDAtMost replaces the answer to a list where lists are refused.
func (o *outlook) list(w wanted) wanted {
	if o.oneID {
		return wanted{status: 400, sent: "-"}
	}
	return w
}

// trialReads are requests of GET.
var trialReads = []trialRequest{
	{name: "all, narrowed", key: aclKey, method: "GET", target: "/gw/devices/all?fields=id,name", want: func(o *outlook) wanted {
		if o.unenforced {
			return wanted{status: 200, rows: ids(101, 102, 103, 131), denied: ids()}
		}
		return wanted{status: 200, rows: ids(101, 102), denied: ids(), sent: "/gw/devices/101,102"}
	}},
	{name: "a list, narrowed", key: aclKey, method: "GET", target: "/gw/devices/101,103,901", want: func(o *outlook) wanted {
		if o.unenforced {
			return o.list(wanted{status: 200, rows: ids(101, 103), denied: ids(901)})
		}
		return o.list(wanted{status: 200, rows: ids(101), denied: ids(103, 901)})
	}},
	{name: "a match, narrowed", key: aclKey, method: "GET", target: "/gw/devices/name=truck*", want: func(o *outlook) wanted {
		isLimited := !o.unenforced
		switch {
		case o.deniesMatch && isLimited:
			return wanted{status: 403, sent: "-"}
		case o.oneResolved && (isLimited && !o.conditions || o.unenforced && o.mode != config.ScopeHeader):
			return wanted{status: 400}
		case isLimited:
			return wanted{status: 200, rows: ids(101), denied: ids()}
		}
		return wanted{status: 200, rows: ids(101, 103), denied: ids()}
	}},
	{name: "all of an account", key: fleetKey, method: "GET", target: "/gw/devices/all", want: func(*outlook) wanted {
		return wanted{status: 200, rows: ids(101, 102, 103, 131), denied: ids()}
	}},
	{name: "a foreign id", key: fleetKey, method: "GET", target: "/gw/devices/101,901", want: func(o *outlook) wanted {
		return o.list(wanted{status: 200, rows: ids(101), denied: ids(901)})
	}},
	{name: "an account below", key: rootKey, method: "GET", target: "/gw/devices/all", header: map[string]string{"x-flespi-cid": "13"},
		want: func(*outlook) wanted { return wanted{status: 200, rows: ids(131), denied: ids()} }},
	{name: "an account beside", key: fleetKey, method: "GET", target: "/gw/devices/all", header: map[string]string{"x-flespi-cid": "12"},
		want: func(*outlook) wanted { return wanted{status: 403, sent: "-"} }},
	{name: "linked items of an entry", key: aclKey, method: "GET", target: "/gw/calcs/21/devices/101,103", want: func(o *outlook) wanted {
		if o.unenforced {
			return o.list(wanted{status: 200, denied: ids(), sent: "/gw/calcs/21/devices/101,103"})
		}
		return o.list(wanted{status: 200, denied: ids(103), sent: "/gw/calcs/21/devices/101"})
	}},
	{name: "linked items without an entry", key: aclKey, method: "GET", target: "/gw/calcs/21/geofences/51", want: func(o *outlook) wanted {
		if o.strictLinks && !o.unenforced {
			return wanted{status: 403, sent: "-"}
		}
		return wanted{status: 200, denied: ids(), sent: "/gw/calcs/21/geofences/51"}
	}},
	{name: "foreign linked items", key: aclKey, method: "GET", target: "/gw/calcs/21/geofences/959", want: func(o *outlook) wanted {
		if o.strictLinks && !o.unenforced {
			return wanted{status: 403, sent: "-"}
		}
		return wanted{status: map[bool]int{true: 404, false: 403}[o.mode == config.ScopeHeader]}
	}},
	{name: "messages", key: aclKey, method: "GET", target: "/gw/devices/102/messages", want: func(*outlook) wanted {
		return wanted{status: 200, denied: ids(), sent: "/gw/devices/102/messages"}
	}},
	{name: "an unknown parameter", key: fleetKey, method: "GET", target: "/gw/devices/101?foo=1", want: func(o *outlook) wanted {
		switch {
		case o.passesFoo:
			return wanted{status: 200, rows: ids(101), sent: "foo=1", header: map[string]string{"x-aclgate-dropped": "-"}}
		case o.refusesQuery:
			return wanted{status: 400, sent: "-"}
		}
		return wanted{status: 200, rows: ids(101), header: map[string]string{"x-aclgate-dropped": "foo"}}
	}},
	{name: "a route of another catalogue", key: fleetKey, method: "GET", target: "/gw/gadgets/all", want: func(o *outlook) wanted {
		if o.gadgets {
			return wanted{status: 200, rows: ids(71), denied: ids()}
		}
		return wanted{status: 404, sent: "-"}
	}},
	{name: "an unknown route", key: rootKey, method: "GET", target: "/gw/nothing/all", want: func(o *outlook) wanted {
		if o.unknownRoutes {
			return wanted{status: 404, sent: "/gw/nothing/all"}
		}
		return wanted{status: 404, sent: "-"}
	}},
	{name: "the backend's keys", key: rootKey, method: "GET", target: "/platform/tokens/all", want: func(o *outlook) wanted {
		switch {
		case !o.noPlatform:
			return wanted{status: 200, says: `"created":`, sent: "-"} // the gateway's own tokens
		case (o.backendKeys || o.callersKey) && o.mode != config.ScopeHeader:
			return wanted{status: 200, rows: ids()} // the index knows that there is none
		case o.backendKeys || o.callersKey:
			return wanted{status: 200, sent: "/platform/tokens/"}
		}
		return wanted{status: 403, sent: "-"}
	}},
	{name: "a long target", key: fleetKey, method: "GET", target: "/gw/devices/101?fields=id," + strings.Repeat("name,", 60) + "cid",
		want: func(o *outlook) wanted {
			if o.maxURL < 300 {
				return wanted{status: 400, sent: "-"}
			}
			return wanted{status: 200, rows: ids(101)}
		}},
	{name: "a long head", key: fleetKey, method: "GET", target: "/gw/devices/101", header: map[string]string{"X-Long": strings.Repeat("x", 1200)},
		isRefusedEarly: true, want: func(o *outlook) wanted {
			if o.maxHead < 1200 {
				return wanted{status: 431, sent: "-"}
			}
			return wanted{status: 200, rows: ids(101)}
		}},
	{name: "from behind a proxy", key: boundKey, method: "GET", target: "/gw/devices/101", header: map[string]string{"X-Forwarded-For": "192.0.2.7"},
		want: func(o *outlook) wanted {
			if o.trustsProxy {
				return wanted{status: 200, rows: ids(101)}
			}
			return wanted{status: 401, sent: "-"}
		}},
}

// trialWrites change something, or try to.
var trialWrites = []trialRequest{
	{name: "a change", key: aclKey, method: "PUT", target: "/gw/devices/101", body: `{"name":"truck-1"}`, want: func(*outlook) wanted {
		return wanted{status: 200, rows: ids(101), denied: ids()}
	}},
	{name: "a change of all", key: aclKey, method: "PUT", target: "/gw/devices/all", body: `{"info":"x"}`, want: func(o *outlook) wanted {
		switch {
		case o.oneWrite:
			return wanted{status: 400, says: "name them", sent: "-"}
		case o.unenforced:
			return wanted{status: 200, rows: ids(101, 102, 103, 131), denied: ids()}
		}
		return wanted{status: 200, rows: ids(101, 102), denied: ids()}
	}},
	{name: "a change without the right", key: aclKey, method: "PUT", target: "/gw/devices/103", body: `{"name":"truck-2"}`, want: func(o *outlook) wanted {
		if o.unenforced {
			return wanted{status: 200, rows: ids(103)}
		}
		return wanted{status: 403, rows: ids(), denied: ids(103), sent: "-"}
	}},
	{name: "a change of a foreign item", key: fleetKey, method: "PUT", target: "/gw/devices/901", body: `{"name":"taken"}`, want: func(o *outlook) wanted {
		if o.mode == config.ScopeHeader { // the backend says so, under its scope
			return wanted{status: 404, rows: ids(), denied: ids(901)}
		}
		return wanted{status: 403, rows: ids(), denied: ids(901), sent: "-"}
	}},
	{name: "and it is as it was", key: rootKey, method: "GET", target: "/gw/devices/901", want: func(*outlook) wanted {
		return wanted{status: 200, rows: ids(901), says: "truck-foreign"}
	}},
	{name: "a body without length", key: aclKey, method: "PUT", target: "/gw/devices/101", body: `{"name":"truck-1"}`, isStream: true,
		isRefusedEarly: true, want: func(o *outlook) wanted {
			if o.refusesChunks {
				return wanted{status: 411, sent: "-"}
			}
			return wanted{status: 200, rows: ids(101)}
		}},
	{name: "a long body", key: aclKey, method: "PUT", target: "/gw/devices/101", body: `{"info":"` + strings.Repeat("x", 1200) + `"}`,
		want: func(o *outlook) wanted {
			if o.maxBody < 1200 {
				return wanted{status: 413, sent: "-"}
			}
			return wanted{status: 200, rows: ids(101)}
		}},
	{name: "an upload", key: fleetKey, method: "POST", target: "/storage/cdns/31/files", header: map[string]string{"Content-Type": "multipart/form-data; boundary=XX"},
		body: "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + strings.Repeat("x", 2000) + "\r\n--XX--\r\n",
		want: func(o *outlook) wanted {
			if o.maxUpload < 2000 {
				return wanted{status: 413, sent: "-"}
			}
			return wanted{status: 200, sent: "/storage/cdns/31/files"}
		}},
}

// trialOwn are answered by the gateway itself.
var trialOwn = []trialRequest{
	{name: "no token", method: "GET", target: "/gw/devices/all", want: func(*outlook) wanted { return wanted{status: 401, sent: "-"} }},
	{name: "no such token", key: "nobody-has-this-key", method: "GET", target: "/gw/devices/all", want: func(*outlook) wanted {
		return wanted{status: 401, sent: "-"}
	}},
	{name: "what a browser asks first", method: "OPTIONS", target: "/gw/devices/all", isRefusedEarly: true,
		header: map[string]string{"Origin": "https://app.test", "Access-Control-Request-Method": "GET"}, want: func(o *outlook) wanted {
			return wanted{status: 204, sent: "-", header: map[string]string{"access-control-allow-origin": o.origin, "access-control-max-age": o.maxAge}}
		}},
	{name: "a browser", key: fleetKey, method: "GET", target: "/gw/devices/101", header: map[string]string{"Origin": "https://app.test"},
		want: func(o *outlook) wanted {
			return wanted{status: 200, rows: ids(101), header: map[string]string{"access-control-allow-origin": o.origin}}
		}},
	{name: "who am I", key: aclKey, method: "GET", target: "/auth/info", want: func(*outlook) wanted {
		return wanted{status: 200, says: `"cid":11`, sent: "-"}
	}},
	{name: "regions", method: "GET", target: "/auth/regions", want: func(o *outlook) wanted {
		return wanted{status: 200, says: `"rest":"` + o.publicURL, sent: "-"}
	}},
	{name: "members of regions", method: "GET", target: "/auth/regions", want: func(o *outlook) wanted {
		return wanted{status: 200, says: o.region, sent: "-"}
	}},
	{name: "public health", method: "GET", target: "/readyz", want: func(o *outlook) wanted {
		if o.publicHealth {
			return wanted{status: 200, sent: "-"}
		}
		return wanted{status: 401, sent: "-"}
	}},
}

// send sends a request.
func (s *trial) send(p *trialRequest) (*reply, error) {
	var body io.Reader
	if p.body != "" {
		body = strings.NewReader(p.body)
	}
	if p.isStream {
		body = io.MultiReader(body)
	}
	req, err := http.NewRequest(p.method, s.api+p.target, body)
	if err != nil {
		return nil, err
	}
	if req.Host = s.o.hosts; req.Host == "" {
		req.Host = req.URL.Host
	}
	if p.key != "" {
		req.Header.Set("Authorization", "FlespiToken "+p.key)
	}
	req.Header.Set("X-Custom", "custom")
	for name, value := range p.header {
		req.Header.Set(name, value)
	}
	mark := s.backend.Mark()
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	r := &reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	for _, got := range s.backend.Since(mark) {
		if len(got.Get("x-forwarded-for")) > 0 { // else it is the gateway's own
			r.sent = append(r.sent, got.Target)
			r.sentHeaders += fmt.Sprint(got.Header)
		}
	}
	r.read()
	return r, err
}

// read takes the ids out of an answer.
func (r *reply) read() {
	var body struct {
		Result []struct{ ID int64 }
		Errors []struct{ ID int64 }
	}
	_ = json.Unmarshal([]byte(r.text), &body) // what is not JSON has no rows
	r.rows, r.denied = ids(), ids()
	for _, row := range body.Result {
		r.rows = append(r.rows, row.ID)
	}
	for _, e := range body.Errors {
		if e.ID != 0 {
			r.denied = append(r.denied, e.ID)
		}
	}
	slices.Sort(r.rows)
	slices.Sort(r.denied)
}

// faults names what is not as it has to be.
func (w *wanted) faults(r *reply) (all []string) {
	differ := func(what string, got, want any) {
		all = append(all, fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
	if r.status != w.status {
		differ("status", r.status, w.status)
	}
	if w.rows != nil && !slices.Equal(r.rows, w.rows) {
		differ("rows", r.rows, w.rows)
	}
	if w.denied != nil && !slices.Equal(r.denied, w.denied) {
		differ("denied items", r.denied, w.denied)
	}
	for name, want := range w.header {
		if got := r.header.Get(name); got != want && (want != "-" || got != "") {
			differ(name, got, want)
		}
	}
	if !strings.Contains(r.text, w.says) {
		differ("body", r.text, w.says)
	}
	got := strings.Join(r.sent, " ")
	if w.sent == "-" && got != "" || w.sent != "-" && !strings.Contains(got, w.sent) {
		differ("sent to the backend", got, w.sent)
	}
	return all
}
