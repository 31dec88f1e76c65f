package login

import (
	"sync"
	"time"
)

// Bounds of failures, of whatever names and addresses.
const (
	// Every failureLasts one failure is forgotten. While more than floodBegins are not, logins flood in.
	floodBegins  = 10
	failureLasts = 5 * time.Second
	// floodLasts is how long that holds after the last failure, at most.
	floodLasts = time.Minute

	// triesAtOnce is how many tries of an address that are not forgotten are checked at full speed,
	// flood or not: those of somebody who mistypes, or of a few who log in together. Each takes a quarter of a
	// second of a core.
	triesAtOnce = 5

	knownFor = 30 * 24 * time.Hour
	maxKnown = 1 << 16
)

// flood knows whether so many logins fail that checking passwords must be held back, and which addresses
// it does not hold back: those that somebody has logged in from.
type flood struct {
	mu      sync.Mutex
	forgets time.Time            // when all failures will have been forgotten
	known   map[uint64]time.Time // addresses, by when the last login came from there
}

// failed counts a failure, and reports whether it is the one that begins a flood.
func (f *flood) failed(now time.Time) (begins bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.beyond(now)
	if f.forgets.Before(now) {
		f.forgets = now
	}
	f.forgets = f.forgets.Add(failureLasts)
	if most := now.Add(floodBegins*failureLasts + floodLasts); f.forgets.After(most) {
		f.forgets = most
	}
	return !was && f.beyond(now)
}

func (f *flood) beyond(now time.Time) bool { return f.forgets.Sub(now) > floodBegins*failureLasts }

// holdsBack reports whether a login from an address must be held back, which is this many tries there with
// those that are not forgotten.
func (f *flood) holdsBack(address uint64, tries int, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return (f.beyond(now) || tries > triesAtOnce) && now.Sub(f.known[address]) > knownFor
}

// succeeded remembers an address that somebody has logged in from. Only who has a password makes this
// grow; beyond its bound any other one is forgotten.
func (f *flood) succeeded(address uint64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, found := f.known[address]; !found && len(f.known) >= maxKnown {
		for other := range f.known {
			delete(f.known, other)
			break
		}
	}
	f.known[address] = now
}
