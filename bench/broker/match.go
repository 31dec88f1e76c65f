package broker

import (
	"slices"
	"strconv"
	"strings"
)

// subscription is one filter of a session, taken apart.
type subscription struct {
	asked  string // as the client wrote it: the key in its session
	group  string // of a shared subscription; empty: none
	levels []string

	qos            byte
	noLocal        bool
	asPublished    bool
	handling       byte
	identifier     uint32
	account        uint64  // that account alone; 0: that of the session and all below
	modifiedSince  float64 // only messages later than this
	listsAreLevels bool    // a level may be a comma list
}

// parse takes a filter apart. The code is that of SUBACK; 0: good.
func (s *subscription) parse(filter string, dialect bool) (code byte) {
	s.asked = filter
	if rest, found := strings.CutPrefix(filter, "$share/"); found {
		group, rest, found := strings.Cut(rest, "/")
		if !found || group == "" || rest == "" {
			return codeFilterInvalid
		}
		s.group, filter = group, rest
	}
	for dialect && strings.HasPrefix(filter, "$filter/") {
		spec, rest, found := strings.Cut(strings.TrimPrefix(filter, "$filter/"), "/")
		if !found || !s.spec(spec) {
			return codeFilterInvalid
		}
		filter = rest
	}
	s.levels = strings.Split(filter, "/")
	s.listsAreLevels = dialect && s.levels[0] == "flespi"
	for i, level := range s.levels {
		wild := strings.ContainsAny(level, "+#")
		if wild && level != "+" && level != "#" || level == "#" && i+1 < len(s.levels) {
			return codeFilterInvalid
		}
	}
	if filter == "" {
		return codeFilterInvalid
	}
	return 0
}

// spec reads one specification of the vendor's $filter.
func (s *subscription) spec(spec string) bool {
	if cid, found := strings.CutPrefix(spec, "cid="); found {
		n, err := strconv.ParseUint(cid, 10, 64)
		s.account = n
		return err == nil && n > 0
	}
	if since, found := strings.CutPrefix(spec, "modified_since>"); found {
		t, err := strconv.ParseFloat(since, 64)
		s.modifiedSince = t
		return err == nil
	}
	return false
}

// matches reports whether the subscription's filter covers a topic. "a/#" covers "a" too.
func (s *subscription) matches(topic string) bool {
	levels := strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && (s.levels[0] == "+" || s.levels[0] == "#") {
		return false
	}
	for i, want := range s.levels {
		switch {
		case want == "#":
			return true
		case i >= len(levels):
			return false
		case want == "+" || want == levels[i]:
		case s.listsAreLevels && slices.Contains(strings.Split(want, ","), levels[i]):
		default:
			return false
		}
	}
	return len(levels) == len(s.levels)
}
