package strict

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unit is a suffix of a number and what it means.
type unit struct {
	name string
	size int64
}

// The units of a duration in nanoseconds and of a size in bytes, the largest first.
var (
	durationUnits = []unit{
		{"d", int64(24 * time.Hour)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)},
		{"s", int64(time.Second)}, {"ms", int64(time.Millisecond)},
	}
	sizeUnits = []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}
)

// Duration returns the reader of a time from lo to hi: whole numbers with the units d, h, m, s and
// ms, each at most once and the larger first ("2s", "1m30s", "30d"), or 0. A number without unit is
// a fault, since its unit is unknown.
func Duration(lo, hi time.Duration) func(*Node) (time.Duration, bool) {
	return func(n *Node) (time.Duration, bool) {
		text, _ := textOf(n)
		d, ok := parseDuration(text)
		if !ok || d < lo || d > hi {
			n.Expected("a duration" + span(formatDuration(lo), formatDuration(hi)) + ", such as 1m30s")
			return 0, false
		}
		return d, true
	}
}

// Seconds returns the reader of a time in whole seconds from lo to hi, written as bare seconds or
// as Duration accepts it.
func Seconds(lo, hi int64) func(*Node) (int64, bool) {
	return func(n *Node) (int64, bool) {
		text, _ := textOf(n)
		v, ok := digits(text)
		if !ok {
			var d time.Duration
			d, ok = parseDuration(text)
			ok = ok && d%time.Second == 0
			v = int64(d / time.Second)
		}
		if !ok || v < lo || v > hi {
			n.Expected("seconds, or a duration such as 30d," + span(strconv.FormatInt(lo, 10), strconv.FormatInt(hi, 10)) + " seconds")
			return 0, false
		}
		return v, true
	}
}

// Unix reads a moment, as unix seconds, as a day, which means its beginning in UTC, or as RFC 3339
// with whole seconds ("2027-01-01T00:00:00Z"), from 0 on. It returns unix seconds.
func Unix(n *Node) (int64, bool) {
	text, _ := textOf(n)
	if v, ok := digits(text); ok {
		return v, true
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil || t.Nanosecond() != 0 || t.Unix() < 0 {
		n.Expected("a day such as 2027-01-01, a time such as 2027-01-01T00:00:00Z, or unix seconds")
		return 0, false
	}
	return t.Unix(), true
}

// Bytes returns the reader of a size from lo to hi: bare bytes, or KiB, MiB, GiB, TiB. KB and MB are
// faults, because half of the world means 1024 by them.
func Bytes(lo, hi int64) func(*Node) (int64, bool) {
	return func(n *Node) (int64, bool) {
		text, _ := textOf(n)
		v, ok := parseBytes(text)
		if unit := strings.TrimLeft(text, "0123456789"); !ok && unit != "" && unit != text && !knownUnit(unit) {
			n.Fault("unknown unit %q: use KiB, MiB or GiB", unit)
			return 0, false
		}
		if !ok || v < lo || v > hi {
			n.Expected("a size" + span(formatBytes(lo), formatBytes(hi)) + ", such as 64KiB, 8MiB or bare bytes")
			return 0, false
		}
		return v, true
	}
}

// knownUnit reports whether sizes have such a unit.
func knownUnit(name string) bool {
	return slices.ContainsFunc(sizeUnits, func(u unit) bool { return u.name == name })
}

// Rate is a number of events in a time. The zero Rate is no bound.
type Rate struct {
	Count int64
	Per   time.Duration // a second or a minute
}

// PerSecond returns the rate as events per second; 0 for the zero Rate.
func (r Rate) PerSecond() float64 {
	if r.Per <= 0 {
		return 0
	}
	return float64(r.Count) / r.Per.Seconds()
}

// ReadRate reads a rate such as 50/s or 600/m; 0 is the zero Rate.
func ReadRate(n *Node) (Rate, bool) {
	text, _ := textOf(n)
	if text == "0" {
		return Rate{}, true
	}
	count, per, _ := strings.Cut(text, "/")
	v, ok := digits(count)
	span, known := map[string]time.Duration{"s": time.Second, "m": time.Minute}[per]
	if !ok || !known || v == 0 || v > math.MaxInt32 {
		n.Expected("a rate such as 50/s or 600/m, or 0 for none")
		return Rate{}, false
	}
	return Rate{Count: v, Per: span}, true
}

// Prefix reads an address range in CIDR form, or one address.
func Prefix(n *Node) (netip.Prefix, bool) {
	return Parsed("an address range such as 10.0.0.0/8", ParsePrefix)(n)
}

// ParsePrefix reads an address range in CIDR form, or one address. It refuses what would match less
// or more than it seems to: host bits that are set, zones, IPv4 written as IPv6.
func ParsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if a, addrErr := netip.ParseAddr(text); addrErr == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("not a valid IP address or CIDR range")
	case p.Addr().Is4In6():
		return netip.Prefix{}, errors.New("write IPv4 as IPv4")
	case p != p.Masked():
		return netip.Prefix{}, errors.New("bits are set behind the length: did you mean " + p.Masked().String() + "?")
	}
	return p, nil
}

// parseDuration reads a duration of at most about 292 years.
func parseDuration(text string) (time.Duration, bool) {
	if text == "" || text == "0" {
		return 0, text == "0"
	}
	var total int64
	for _, u := range durationUnits {
		end := strings.TrimLeft(text, "0123456789")
		v, isNumber := digits(text[:len(text)-len(end)])
		rest, ok := strings.CutPrefix(end, u.name)
		if !ok || u.name == "m" && strings.HasPrefix(rest, "s") {
			continue
		}
		if !isNumber || v > (math.MaxInt64-total)/u.size {
			return 0, false
		}
		total, text = total+v*u.size, rest
	}
	return time.Duration(total), text == ""
}

// parseBytes reads a size.
func parseBytes(text string) (int64, bool) {
	for _, u := range sizeUnits {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			v, isNumber := digits(number)
			return v * u.size, isNumber && v <= math.MaxInt64/u.size
		}
	}
	return 0, false
}

// formatBytes writes a size as Bytes reads it.
func formatBytes(v int64) string { return format(v, sizeUnits) }

// formatDuration writes a duration as Duration reads it.
func formatDuration(d time.Duration) string { return format(int64(d), durationUnits) }

// format writes a number with the largest unit that divides it.
func format(v int64, units []unit) string {
	for _, u := range units {
		if v >= u.size && v%u.size == 0 {
			return strconv.FormatInt(v/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(v, 10)
}
