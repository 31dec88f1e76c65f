package store

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPacerRestsAsLongAsItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := &pacer{since: began}
		for range 10 * stepsPerLook {
			p.step() // takes no time
		}
		if got := time.Since(began); got != 0 {
			t.Errorf("rested %v without work", got)
		}
		for range 10 {
			time.Sleep(workFor) // stands for work
			p.rest()
		}
		if got, want := time.Since(began), 10*(workFor+restFor); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		var nobody *pacer
		nobody.step()
		nobody.rest()
	})
}
