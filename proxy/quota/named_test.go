package quota

import (
	"testing"
	"time"
)

// What a named account uses is added up for ever, in its branch; the tightest bounds are the smallest
// on the way to the root; and accounts count as blocked by their own bounds alone.
func TestNamed(t *testing.T) {
	tree, b, now := family(t), New(time.Minute), time.Unix(1_800_000_000, 0)
	accounts := []Account{
		{ID: 1, Calls: 9, Traffic: None, Items: map[string]int64{"gw/devices": 5}, BlockFor: time.Minute},
		{ID: 11, Calls: None, Traffic: 100, Named: true, Items: map[string]int64{"gw/devices": 7, "gw/calcs": 2}, BlockFor: time.Minute},
		{ID: 12, Calls: None, Traffic: None, Disabled: true},
	}
	b.Use(tree, accounts, true)
	for i, cid := range []int64{11, 13, 13, 12} {
		var h Hold
		b.Admit(&h, cid, now)
		b.Release(&h, i == 2, 30, now.Add(time.Duration(i)*time.Hour))
	}
	if calls, traffic := b.Totals(11); calls != 2 || traffic != 60 { // one below it was denied
		t.Errorf("got %d calls, %d bytes", calls, traffic)
	}
	if calls, traffic := b.Totals(13); calls != 0 || traffic != 0 { // it is not named
		t.Errorf("got %d calls, %d bytes", calls, traffic)
	}
	if got := b.Tightest(13); got.Calls != 9 || got.Traffic != 100 || got.Items["gw/devices"] != 5 || got.Items["gw/calcs"] != 2 {
		t.Errorf("got %+v", got)
	}
	if byLimit, byHand := b.Blocked(now); byLimit != 0 || byHand != 1 {
		t.Errorf("got %d, %d", byLimit, byHand)
	}
	var h Hold
	b.Admit(&h, 11, now)
	b.Release(&h, false, 101, now)
	if byLimit, byHand := b.Blocked(now); byLimit != 1 || byHand != 1 {
		t.Errorf("got %d, %d", byLimit, byHand)
	}
}
