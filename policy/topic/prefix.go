package topic

import (
	"strings"

	"aclgate/policy"
)

// prefix is what stands before the filter itself: $share/g/ and, where the broker knows it,
// $filter/spec/. It is taken off before anything is judged, and printed back on.
type prefix struct {
	share string // with its slashes; "": not shared
	spec  string // of $filter, without cid=; "": none
	cid   int64  // of $filter/cid=; 0: none
}

// cutPrefix takes the prefixes off a filter. A second of a kind stays, and is refused as a filter
// that begins with $.
func cutPrefix(text string, d Dialect) (p prefix, rest string, reason policy.Reason) {
	rest = text
	if after, found := strings.CutPrefix(rest, "$share/"); found {
		group, filter, more := strings.Cut(after, "/")
		if group == "" || strings.ContainsAny(group, "+#") || !more || filter == "" {
			return p, "", policy.TopicSyntax
		}
		p.share, rest = "$share/"+group+"/", filter
	}
	for strings.HasPrefix(rest, "$filter/") {
		spec, filter, more := strings.Cut(rest[len("$filter/"):], "/")
		if d != Flespi || spec == "" || !more || filter == "" || textFault(spec) != "" || strings.ContainsAny(spec, "+#") {
			return p, "", policy.TopicSyntax
		}
		text, isCID := strings.CutPrefix(spec, "cid=")
		switch {
		case !isCID && p.spec == "":
			p.spec = spec
		case isCID && p.cid == 0:
			cid, ok := policy.ParseID([]byte(text))
			if !ok {
				return p, "", policy.TopicSyntax
			}
			p.cid = cid
		default:
			return p, "", policy.TopicSyntax
		}
		rest = filter
	}
	if textFault(p.share) != "" && p.share != "" {
		return p, "", policy.TopicSyntax
	}
	return p, rest, policy.NotJudged
}

// readable judges whether the holder of a permit may have messages chosen by the spec. An expression
// reads what the entries may not permit [G]; a time reads nothing.
func (p *prefix) readable(of *Permit) bool {
	if p.spec == "" || !of.byEntries() {
		return true
	}
	since, found := strings.CutPrefix(p.spec, "modified_since>")
	since = strings.TrimPrefix(since, "=")
	return found && since != "" && strings.Trim(since, "0123456789.") == ""
}

// print returns the filter with its prefixes, for the account cid where that is printed in it.
func (p *prefix) print(filter string, cid int64) string {
	if p.share == "" && p.spec == "" && cid == 0 {
		return filter
	}
	b := []byte(p.share)
	if cid != 0 {
		b = appendInt(append(b, "$filter/cid="...), cid)
		b = append(b, '/')
	}
	if p.spec != "" {
		b = append(append(append(b, "$filter/"...), p.spec...), '/')
	}
	return string(append(b, filter...))
}
