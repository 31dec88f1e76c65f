package wake

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure that a sleep ends in time, when it is woken, also before it began, and with its context.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		sleep := func(name string, ctx context.Context, want time.Duration) {
			t.Helper()
			began := time.Now()
			if s.Sleep(ctx, time.Minute); time.Since(began) != want {
				t.Errorf("%s: slept %v, want %v", name, time.Since(began), want)
			}
		}
		sleep("whole", t.Context(), time.Minute)
		s.Wake()
		s.Wake()
		sleep("woken before", t.Context(), 0)
		sleep("woken once", t.Context(), time.Minute)
		time.AfterFunc(time.Second, s.Wake)
		sleep("woken", t.Context(), time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		sleep("ended", ctx, 2*time.Second)
		s = nil
		sleep("a nil signal", t.Context(), time.Minute)
	})
}
