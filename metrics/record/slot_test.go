package record

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"aclgate/policy"
)

// fill gives every field of v, however deep, a value that is not zero and not
// that of its neighbour.
func fill(t *testing.T, v reflect.Value, next *int64) {
	t.Helper()
	*next++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(1700000000, *next)
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("192.0.2.7")
		return
	case **policy.Route:
		*x = &policy.Route{}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*next)
	case reflect.Uint8:
		v.SetUint(uint64(*next))
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), next)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i), next)
			}
		}
	default:
		t.Fatalf("a record has a %v, of which nobody knows whether the ring keeps it", v.Type())
	}
}

// A field that somebody adds to Record and forgets here would be missing from
// `why`.
func TestASlotKeepsEveryField(t *testing.T) {
	var r, got Record
	next := int64(0)
	fill(t, reflect.ValueOf(&r).Elem(), &next)
	r.SetTarget(r.Route, []byte("/gw/devices/1"))
	r.SetTrace([]byte(trace))
	var s slot
	s.put(&r)
	s.get(&got)
	if got != r {
		t.Errorf("got  %+v\nwant %+v", got, r)
	}
}

// Whatever was in a slot before, it says the same as the record put there.
func TestASlotForgetsTheOneBefore(t *testing.T) {
	var s slot
	for _, r := range []*Record{
		full(t), {}, {Source: netip.MustParseAddr("2001:db8::7")}, {Source: netip.MustParseAddr("::ffff:10.0.0.7")},
		{Source: netip.MustParseAddr("fe80::1%eth0"), Status: 999, Denied: -1}, full(t), {Status: 200},
	} {
		var got Record
		s.put(r)
		s.get(&got)
		if got, want := string(got.AppendJSON(nil)), string(r.AppendJSON(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzSlot(f *testing.F) {
	f.Add([]byte("/gw/devices/1"), []byte(trace), []byte("/"), []byte(""))
	f.Add([]byte(strings.Repeat("\x01", 300)), []byte("x"), []byte(strings.Repeat("a", 257)), []byte(trace))
	f.Fuzz(func(t *testing.T, target, traceparent, target2, traceparent2 []byte) {
		var s slot
		var r, got Record
		r.SetTarget(nil, target)
		r.SetTrace(traceparent)
		s.put(&r)
		r.SetTarget(nil, target2)
		r.SetTrace(traceparent2)
		s.put(&r)
		s.get(&got)
		if got, want := string(got.AppendJSON(nil)), string(r.AppendJSON(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A record that begins in the middle of a cache line costs one line more; what
// most of them say takes three.
func TestSlotsAreWholeCacheLines(t *testing.T) {
	if got := unsafe.Sizeof(slot{}); got%64 != 0 {
		t.Errorf("got %d bytes, want a multiple of 64", got)
	}
	if got := 3*64 - unsafe.Offsetof(slot{}.target); got < 32 {
		t.Errorf("got room for %d bytes of a target, want 32", got)
	}
}
