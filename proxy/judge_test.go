package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func errorsAs[T error](err error, target *T) bool { return errors.As(err, target) }

// judge returns "" if what came of a case is one of the right verdicts, else what is wrong with it.
func (c *court) judge(row *rawCase, p played) string {
	fault := ""
	if len(row.Then) > 0 {
		fault = judgeThen(row.Then, p.sent)
	} else {
		var faults []string
		for _, want := range row.Expected {
			faults = append(faults, judgeOne(want, row, p))
		}
		if !slices.Contains(faults, "") {
			fault = faults[0]
		}
	}
	if fault == "" {
		fault = headersFault(row, p.sent)
	}
	return fault
}

// canary returns what is wrong with the gateway itself after a case: a request on a fresh
// connection must get its own answer.
func (c *court) canary() string {
	if a := c.raw(canaryRequest); !isCanary(a) {
		return fmt.Sprintf("the canary was answered %v", a)
	}
	return ""
}

func judgeThen(then []string, sent []wireRequest) string {
	var want []string
	for _, verdict := range then {
		if target, found := strings.CutPrefix(verdict, "forward_as:"); found {
			want = append(want, target)
		}
	}
	if len(want) != len(sent) {
		return fmt.Sprintf("forwarded %d requests, want %d", len(sent), len(want))
	}
	for i := range want {
		if !sameTarget(want[i], sent[i].target()) {
			return "forwarded " + sent[i].line + ", want " + want[i]
		}
	}
	return ""
}

// judgeOne compares what happened with one verdict.
func judgeOne(want string, row *rawCase, p played) string {
	kind, target, _ := strings.Cut(want, ":")
	var got answer
	if len(p.answers) > 0 {
		got = p.answers[0]
	}
	codes, empty, isJSON := readErrors(got.body)
	request := strings.TrimLeft(string(row.bytes()), "\r\n")
	said := fmt.Sprintf("answered %d %.100s", got.status, got.body)
	switch {
	case p.broken != "":
		return "the answer cannot be read: " + p.broken
	case strings.HasPrefix(request, "HEAD "):
		if len(p.sent) == 0 && (got.status == 403 || got.status == 405) && got.body == "" {
			return ""
		}
		return said
	case kind == "forward_as" || kind == "narrow":
		return judgeForwarded(kind, target, row, p)
	case len(p.sent) > 0:
		return "forwarded " + p.sent[0].line
	case kind == "reject400" && len(p.answers) == 0 && !p.closed:
		return "neither answered nor closed"
	case kind == "reject400" && len(p.answers) > 0 && (got.status < 400 || !isJSON):
		return said
	case strings.HasPrefix(kind, "deny") && (got.status != 403 || !slices.Equal(codes, []int{int(kind[4] - '0')}) || !empty):
		return said
	case kind == "empty" && (got.status != 200 || !empty || len(codes) > 0):
		return said
	}
	return ""
}

func judgeForwarded(kind, target string, row *rawCase, p played) string {
	if len(p.sent) == 0 && len(p.own) == 1 { // asked for in the words of a look-up
		p.sent = p.own
	}
	request := strings.TrimLeft(string(row.bytes()), "\r\n")
	if len(p.sent) != 1 || len(p.answers) == 0 {
		return fmt.Sprintf("%d requests forwarded, answered %v", len(p.sent), p.answers)
	}
	got, sent := p.answers[0], p.sent[0]
	method, _, _ := strings.Cut(request, " ")
	_, body, _ := strings.Cut(request, "\r\n\r\n")
	if row.Body != nil {
		body = *row.Body
	}
	codes, _, _ := readErrors(got.body)
	switch {
	case sent.method() != method || !sameTarget(target, sent.target()):
		return "forwarded " + sent.line
	case sent.body != body:
		return "forwarded the body " + sent.body
	case kind == "narrow" && !slices.Contains(codes, 6):
		return "no code-6 error in " + got.body
	case kind == "forward_as" && got.status != 200:
		return fmt.Sprintf("answered %d %.100s", got.status, got.body)
	}
	return ""
}

// readErrors returns the distinct codes of the errors of an answer, and whether its result is an
// empty array. ok reports that it is JSON at all.
func readErrors(body string) (codes []int, empty, ok bool) {
	var text struct {
		Errors []struct{ Code int }
		Result *[]json.RawMessage
	}
	if json.Unmarshal([]byte(body), &text) != nil {
		return nil, false, false
	}
	for _, e := range text.Errors {
		if !slices.Contains(codes, e.Code) {
			codes = append(codes, e.Code)
		}
	}
	return codes, text.Result != nil && len(*text.Result) == 0, true
}

// headersFault looks at what no forwarded request may hold.
func headersFault(row *rawCase, sent []wireRequest) string {
	for i := range sent {
		r := &sent[i]
		cids := r.all("x-flespi-cid")
		if len(cids) != 1 {
			return fmt.Sprintf("upstream x-flespi-cid %q", cids)
		}
		if cid, err := strconv.ParseInt(cids[0], 10, 64); err != nil || !inBranch(cid, row.TokenACL.CID) {
			return fmt.Sprintf("upstream x-flespi-cid %q", cids)
		}
		if keys := r.all("Authorization"); !slices.Equal(keys, []string{"FlespiToken " + upstreamKey}) {
			return fmt.Sprintf("upstream Authorization %q", keys)
		}
		for _, name := range []string{"Host", "Content-Length", "Content-Type"} {
			if len(r.all(name)) > 1 {
				return "upstream has " + name + " twice"
			}
		}
		for _, f := range r.fields {
			if strings.Contains(f[0], "_") {
				return "upstream got " + f[0]
			}
		}
		for _, name := range []string{"Transfer-Encoding", "X-Original-URL", "X-HTTP-Method-Override"} {
			if len(r.all(name)) > 0 {
				return "upstream got " + name
			}
		}
	}
	return ""
}

// ownLookup reports whether a request is the gateway's own: the index, the members of groups, or
// the resolution of a match.
func ownLookup(r *wireRequest) bool {
	path, query, _ := strings.Cut(r.target(), "?")
	values, _ := url.ParseQuery(query)
	segments := strings.Split(path, "/")
	if r.method() != "GET" || len(segments) < 4 {
		return false
	}
	selector, _ := url.PathUnescape(segments[3])
	switch fields := values.Get("fields"); fields {
	case "id,cid", "group_id,device_id", "group_id,asset_id", "group_id,geofence_id":
		return true
	default:
		return fields == "id" && (strings.Contains(selector, "=") || strings.HasPrefix(selector, "{"))
	}
}

var idList = regexp.MustCompile(`^[0-9,]+$`)

// sameTarget compares targets: segments after one decoding, id lists as sets, queries in order
// after one decoding.
func sameTarget(want, got string) bool {
	return slices.Equal(normalTarget(want), normalTarget(got))
}

func normalTarget(target string) (out []string) {
	path, query, _ := strings.Cut(target, "?")
	for segment := range strings.SplitSeq(path, "/") {
		segment = unquote(segment)
		if idList.MatchString(segment) {
			ids := strings.Split(segment, ",")
			slices.Sort(ids)
			segment = strings.Join(ids, ",")
		}
		out = append(out, segment)
	}
	out = append(out, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, found := strings.Cut(pair, "="); found {
			out = append(out, unquote(name), unquote(value))
		}
	}
	return out
}

// unquote decodes percent escapes once; what is no escape stays.
func unquote(s string) string {
	if text, err := url.PathUnescape(s); err == nil {
		return text
	}
	return s
}
