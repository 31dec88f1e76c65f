package config

import (
	"errors"
	"slices"
	"strings"

	"aclgate/config/strict"
)

// The headers that upstream.headers may not name, because the gateway writes them itself, judges
// them or refuses them (SPEC 2, Head): a second one, taken from the client, would be read with the
// gateway's rights. A cookie is a credential besides the gateway's own; Forwarded and X-Real-IP
// name the caller's address, which X-Forwarded-For says already.
var protectedHeaders = []string{
	"authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect",
	"forwarded", "host", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
	"x-flespi-cid", "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-real-ip",
	"x-rewrite-url",
}

// The beginnings of names that upstream.headers may not name either.
var protectedPrefixes = []string{"proxy-", "x-forwarded-", "x-aclgate-"}

// The headers that are passed anyway (SPEC 2, Printed upstream).
var passedHeaders = []string{
	"accept", "accept-encoding", "accept-language", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "range", "traceparent", "tracestate", "user-agent", "x-flespi-app", "x-flespi-trace",
	"x-request-id",
}

// The query parameters that policy.query may not name: the gateway judges them, or knows them for
// credentials. Case is folded, because some backend folds it too.
var judgedQuery = []string{
	"cid", "data", "fields", "_method", "token", "access_token", "key", "api_key", "apikey", "auth", "authorization",
}

// The query parameters that every route knows.
var knownQuery = []string{"limit", "offset"}

// tokenChars are the characters of a header name (RFC 9110 5.6.2), beside letters and digits.
const tokenChars = "!#$%&'*+-.^_`|~"

// queryChars are those of a parameter name: what RFC 3986 leaves unescaped, and brackets.
const queryChars = "-._~[]"

// headers reads upstream.headers. Names that are passed anyway are left out with a warning.
func headers(n *strict.Node) ([]string, bool) {
	names, ok := set(passed(passedHeaders, strict.Parsed("the name of a header", parseHeader)))(n)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(passedHeaders, name) }), ok
}

// parseHeader reads the name of a header that may be passed on, and returns it in lower case. `_`
// counts as `-`: many a backend makes the same variable of both.
func parseHeader(text string) (string, error) {
	name := strings.ToLower(text)
	if !isWord(name, tokenChars) {
		return "", errors.New("it holds letters, digits and " + tokenChars)
	}
	folded := strings.ReplaceAll(name, "_", "-")
	isProtected := slices.Contains(protectedHeaders, folded) ||
		slices.ContainsFunc(protectedPrefixes, func(p string) bool { return strings.HasPrefix(folded, p) })
	if isProtected {
		return "", errors.New("the gateway writes or judges this one itself")
	}
	return name, nil
}

// queryNames reads policy.query. Names that every route knows are left out with a warning.
func queryNames(n *strict.Node) ([]string, bool) {
	names, ok := set(passed(knownQuery, strict.Parsed("the name of a query parameter", parseQueryName)))(n)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(knownQuery, name) }), ok
}

// parseQueryName reads the name of a query parameter that may be passed on.
func parseQueryName(text string) (string, error) {
	if !isWord(strings.ToLower(text), queryChars) {
		return "", errors.New("it holds letters, digits and " + queryChars)
	}
	if slices.Contains(judgedQuery, strings.ToLower(text)) {
		return "", errors.New("the gateway judges this one itself")
	}
	return text, nil
}

// QueryMayPass reports whether a name may stand in policy.query and changes something there.
func QueryMayPass(name string) bool {
	_, err := parseQueryName(name)
	return err == nil && !slices.Contains(knownQuery, strings.ToLower(name))
}

// ownMembers are what the gateway says of itself in the answer to /auth/regions.
var ownMembers = []string{"name", "default", "rest", "mqtt", "mqtt-ws"}

// region reads listen.region.
func region(n *strict.Node) ([]Member, bool) {
	pairs, sound := n.Pairs()
	members := make([]Member, 0, len(pairs))
	for i := range pairs {
		value, ok := strict.Str(&pairs[i])
		name := pairs[i].Key()
		if slices.Contains(ownMembers, name) {
			pairs[i].Fault("the gateway says this of itself")
			ok = false
		}
		sound = sound && ok
		members = append(members, Member{name, value})
	}
	return members, sound
}

// passed returns read with a warning for the names that need no setting.
func passed(names []string, read func(*strict.Node) (string, bool)) func(*strict.Node) (string, bool) {
	return func(n *strict.Node) (string, bool) {
		name, ok := read(n)
		if ok && slices.Contains(names, name) {
			n.Warn("is passed anyway: leave it out")
		}
		return name, ok
	}
}

// isWord reports whether text is not empty and holds lower-case letters, digits and further
// characters.
func isWord(text, further string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789"+further) == ""
}

// probe reads a path of plain segments, or "" for none.
func probe(n *strict.Node) (string, bool) {
	return strict.Parsed("a path such as /", func(text string) (string, error) {
		if text == "" || text == "/" {
			return text, nil
		}
		for i, segment := range strings.Split(text, "/") {
			plain := isWord(strings.ToLower(segment), "-._~") && strings.Trim(segment, ".") != ""
			if (i == 0) != (segment == "") || i > 0 && !plain {
				return "", errors.New("it begins with / and holds letters, digits and -._~/")
			}
		}
		return text, nil
	})(n)
}
