package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// demoTourSettings make accounts the gateway's own, as a tour that makes one needs it. What the
// backend has is the operator's.
const demoTourSettings = "scope: {mode: ids, owners: store, unowned: 1}\n"

// tourStep is one request of the tour. $limit, $account, $token and $key stand for what an earlier
// step was answered with.
type tourStep struct {
	title  string
	key    string
	cid    string // of x-flespi-cid; "": none is sent
	method string
	target string
	body   string

	status int
	learns map[string]string // what to remember of the first row, by the name of its field
}

const tourMaster = "demo-master"

// tourSteps are what the tour plays.
var tourSteps = []tourStep{
	{title: "The operator's master lists the tokens, as in the tutorial.",
		key: tourMaster, method: "GET", target: "/platform/customer/tokens/all?fields=key,acl", status: 200},
	{title: "It makes a limit: one device, one token.",
		key: tourMaster, method: "POST", target: "/platform/limits?fields=id,name,devices_count,tokens_count", status: 200,
		body: `{"name":"trial","devices_count":1,"tokens_count":1}`, learns: map[string]string{"id": "$limit"}},
	{title: "It makes an account for a customer, bounded by that limit.",
		key: tourMaster, method: "POST", target: "/platform/subaccounts", status: 200,
		body: `{"name":"Corner Shop","limit_id":$limit}`, learns: map[string]string{"id": "$account"}},
	{title: "It makes a master token in that account. The answer says the key.",
		key: tourMaster, cid: "$account", method: "POST", target: "/platform/tokens?fields=id,cid,info", status: 200,
		body: `{"info":"corner shop","expire":4070908800,"access":{"type":1}}`, learns: map[string]string{"id": "$token", "key": "$key"}},
	{title: "The customer sees nothing of the others, and makes a device.",
		key: "$key", method: "GET", target: "/gw/devices/all?fields=id,name", status: 200},
	{key: "$key", method: "POST", target: "/gw/devices?fields=id,name", status: 200,
		body: `[{"name":"van 1","device_type_id":42,"configuration":{"ident":"van-1"}}]`},
	{key: "$key", method: "GET", target: "/gw/devices/all?fields=id,name", status: 200},
	{title: "A second device is beyond the limit, and so is a second token.",
		key: "$key", method: "POST", target: "/gw/devices?fields=id,name", status: 403,
		body: `[{"name":"van 2","device_type_id":42,"configuration":{"ident":"van-2"}}]`},
	{key: "$key", method: "POST", target: "/platform/tokens", status: 403, body: `{"expire":4070908800,"access":{"type":0}}`},
	{title: "What the customer may use, and uses.",
		key: "$key", method: "GET", status: 200,
		target: "/platform/customer?fields=name,limits.devices_count,limits.tokens_count,counters.devices_count,counters.tokens_count"},
	{title: "The operator revokes the customer's token: the request after it is a 401.",
		key: tourMaster, method: "DELETE", target: "/platform/tokens/$token", status: 200},
	{key: "$key", method: "GET", target: "/gw/devices/all?fields=id,name", status: 401},
	{title: "Who changed what, from the history.",
		key: tourMaster, method: "GET", target: "/platform/tokens/all/logs?fields=event,id,by,token_id", status: 200},
}

// tour plays the steps and shows them.
type tour struct {
	w     io.Writer
	api   string // where the gateway is: http://…
	admin string // its admin listener
	skip  func() // tells the screen that the line of a request is shown here
	known map[string]string
}

// tourClient asks the gateway itself, whatever proxy the environment names.
var tourClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// play plays all steps. It ends with an error where an answer is not the one that the tour tells of.
func (t *tour) play(ctx context.Context) error {
	if err := t.awaitReady(ctx); err != nil {
		return err
	}
	t.known = map[string]string{}
	n := 0
	for _, s := range tourSteps {
		if s.title != "" {
			n++
			fmt.Fprintf(t.w, "\n%d. %s\n", n, s.title)
		}
		if err := t.step(ctx, s); err != nil {
			return fmt.Errorf("the tour ends at step %d: %w", n, err)
		}
	}
	fmt.Fprint(t.w, "\nThat was the tour. The demo goes on (Ctrl-C ends it):\n")
	return nil
}

// step plays one step.
func (t *tour) step(ctx context.Context, s tourStep) error {
	target, body := t.fill(s.target), t.fill(s.body)
	req, err := http.NewRequestWithContext(ctx, s.method, t.api+target, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "FlespiToken "+t.fill(s.key))
	who := s.key
	if who == "$key" {
		who = "token " + t.known["$token"]
	}
	if s.cid != "" {
		req.Header.Set("X-Flespi-Cid", t.fill(s.cid))
		who += " for account " + t.fill(s.cid)
	}
	fmt.Fprintf(t.w, "  %s: %s %s\n", who, s.method, target)
	if body != "" {
		fmt.Fprintf(t.w, "    %s\n", body)
	}
	t.skip()
	res, err := tourClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.w, "  %d %s\n", res.StatusCode, bytes.TrimSpace(text))
	if res.StatusCode != s.status {
		return fmt.Errorf("%s %s: the answer is a %d, and was to be a %d", s.method, target, res.StatusCode, s.status)
	}
	return t.learn(text, s.learns)
}

// fill puts in what earlier answers have said.
func (t *tour) fill(text string) string {
	for name, value := range t.known {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}

// learn remembers fields of the first row of an answer.
func (t *tour) learn(answer []byte, fields map[string]string) error {
	if fields == nil {
		return nil
	}
	var made struct {
		Result []struct {
			ID  int64
			Key string
		}
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	if len(made.Result) != 1 {
		return fmt.Errorf("the answer has %d rows, and was to have one", len(made.Result))
	}
	row := map[string]string{"id": strconv.FormatInt(made.Result[0].ID, 10), "key": made.Result[0].Key}
	for field, name := range fields {
		t.known[name] = row[field]
	}
	return nil
}

// awaitReady waits until the gateway is ready: it has read which items there are.
func (t *tour) awaitReady(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.admin+readyPath, nil)
		if err != nil {
			return err
		}
		res, err := tourClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
