package login

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"aclgate/policy"
)

// What rests is what the library says, and rests after each round. The library takes what it makes.
func TestBcryptThatRests(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 60 {
		password := make([]byte, r.IntN(73))
		for i := range password {
			password[i] = byte(r.Uint32())
		}
		cost := bcrypt.MinCost + i%2
		made, err := bcrypt.GenerateFromPassword(password, cost)
		if err != nil {
			t.Fatal(err)
		}
		made[2] = "aby"[i%3]
		rests := 0
		if !matchesBcrypt(string(made), password, func() { rests++ }) {
			t.Errorf("%q does not match %s", password, made)
		}
		if rests != 1<<cost {
			t.Errorf("cost %d: it rested %d times", cost, rests)
		}
		rests = 0
		own, err := hashBcrypt(password, cost, func() { rests++ })
		if err != nil || rests != 1<<cost || bcrypt.CompareHashAndPassword([]byte(own), password) != nil {
			t.Errorf("%q: made %s after %d rests, %v", password, own, rests, err)
		}
		if again, _ := hashBcrypt(password, cost, func() {}); again == own {
			t.Errorf("%s was made twice", own)
		}
		other := append([]byte("x"), password...)
		spoiled := bytes.Clone(made)
		spoiled[bcryptSum+r.IntN(31)] ^= 1
		for hash, password := range map[string][]byte{string(made): other, string(spoiled): password, string(made[:59]): password, "": password} {
			if matchesBcrypt(hash, password, func() {}) {
				t.Errorf("%q matches %q", password, hash)
			}
		}
	}
}

// FuzzBcryptThatRests compares with the library.
func FuzzBcryptThatRests(f *testing.F) {
	made, err := bcrypt.GenerateFromPassword([]byte("correct"), bcrypt.MinCost)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made[bcryptSalt:], []byte("correct"))
	f.Add(made[bcryptSalt:], bytes.Repeat([]byte{0}, 80))
	f.Fuzz(func(t *testing.T, rest, password []byte) {
		hash := append([]byte("$2b$04$"), rest...)
		if len(hash) != bcryptLen || len(password) > 200 {
			return // others are no verifiers
		}
		want := bcrypt.CompareHashAndPassword(hash, password) == nil
		if got := matchesBcrypt(string(hash), password, func() {}); got != want {
			t.Errorf("%q, %q: got %v, want %v", hash, password, got, want)
		}
	})
}

// Whoever is held back works for about a tenth of the time, also on a machine where a rest takes longer.
func TestPacer(t *testing.T) {
	const round = 70 * time.Microsecond
	for _, late := range []time.Duration{0, restHeld, 3 * restHeld} {
		now, slept, longest := time.Unix(0, 0), time.Duration(0), time.Duration(0)
		p := newPacer(true)
		p.now, p.sleep, p.began = func() time.Time { return now }, func(d time.Duration) { slept += d + late; now = now.Add(d + late) }, now
		since := now
		for range 4096 {
			now = now.Add(round)
			before := slept
			if p.rest(); slept != before {
				longest, since = max(longest, now.Sub(since)-(slept-before)), now
			}
		}
		work := 4096 * round
		if share := float64(work) / float64(work+slept); share > 0.13 || share < 0.08 {
			t.Errorf("rests that take %v longer: it works for %.3f of the time", late, share)
		}
		if longest >= sliceShared+round || late == 0 && longest >= sliceHeld+round+restHeld/restShare {
			t.Errorf("rests that take %v longer: it works for %v without a rest", late, longest)
		}
	}
}

// Who is not held back lets others go first again and again, or rests where nobody else could run.
func TestPacerShares(t *testing.T) {
	const round = 70 * time.Microsecond
	for _, processors := range []int{1, 2} {
		before := runtime.GOMAXPROCS(processors)
		p := newPacer(false)
		runtime.GOMAXPROCS(before)
		now, slept, given := time.Unix(0, 0), time.Duration(0), 0
		p.now, p.began, p.sleep, p.giveWay = func() time.Time { return now }, now, func(d time.Duration) { slept += d; now = now.Add(d) }, func() { given++ }
		for range 4096 {
			now = now.Add(round)
			p.rest()
		}
		const work = 4096 * round
		if processors == 1 && (given > 0 || slept < work*8/10 || slept > work) || processors > 1 && (slept > 0 || time.Duration(given) < work/(sliceShared+round)) {
			t.Errorf("%d processors: it slept for %v, and gave way %d times", processors, slept, given)
		}
	}
}

func TestFloodBeginsAndEnds(t *testing.T) {
	f := &flood{known: map[uint64]time.Time{}}
	now := time.Unix(1_800_000_000, 0)
	for i := range 1000 {
		if begins := f.failed(now); begins != (i == floodBegins) {
			t.Fatalf("failure %d: begins is %v", i, begins)
		}
		if got := f.holdsBack(1, 1, now); got != (i >= floodBegins) {
			t.Fatalf("failure %d: held back is %v", i, got)
		}
	}
	f.succeeded(2, now)
	if f.holdsBack(2, 1, now) || !f.holdsBack(1, 1, now) {
		t.Error("where somebody has logged in from is held back, or others are not")
	}
	if !f.holdsBack(1, 1, now.Add(floodLasts-time.Second)) || f.holdsBack(1, 1, now.Add(floodLasts+time.Second)) {
		t.Error("it does not last as long as it should")
	}
	// One failure every few seconds, for a day, neither is a flood nor keeps one going.
	for range 24 * 360 {
		now = now.Add(2 * failureLasts)
		f.failed(now)
	}
	if f.holdsBack(1, triesAtOnce, now) {
		t.Error("people who mistype now and then are held back")
	}
	if !f.holdsBack(1, triesAtOnce+1, now) || f.holdsBack(2, triesPerAddress, now) {
		t.Error("where many tries come from is not held back, or where somebody has logged in from is")
	}
	for i := range uint64(2 * maxKnown) {
		f.succeeded(i, now)
	}
	if len(f.known) != maxKnown {
		t.Errorf("%d addresses are known", len(f.known))
	}
	if later := now.Add(knownFor + time.Second); !func() bool { f.forgets = later.Add(time.Hour); return f.holdsBack(2*maxKnown-1, 1, later) }() {
		t.Error("an address is known for ever")
	}
}

// While logins flood in, who comes from where somebody has logged in from is not held back, whatever
// waits; the others get the same answers, whether or not somebody has the name.
func TestFloodHoldsBack(t *testing.T) {
	t.Parallel()
	p := world(t, twoUsersOf(t))
	var log bytes.Buffer
	s, _ := service(p, &log)
	key(t, s.try("acme", "anna", anna, here))
	for range floodBegins + 1 {
		s.noteFailure(time.Now())
	}
	if n := bytes.Count(log.Bytes(), []byte("held back")); n != 1 {
		t.Errorf("the log says so %d times:\n%s", n, &log)
	}
	elsewhere := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, i}) }
	for i, name := range []string{"anna", "nobody"} {
		a := s.try("acme", name, "wrong wrong wrong", elsewhere(byte(i)))
		if a.Reason != policy.LoginFailed || a.Body != nil || a.Text != "" {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	key(t, s.try("acme", "anna", anna, elsewhere(9))) // slowly, but nobody is kept out

	// Those that are held back take the places of nobody else.
	taken, done := make(chan bool), make(chan bool)
	for range cap(s.held.slots) {
		go s.held.do(func() { taken <- true; <-done })
		<-taken
	}
	defer close(done)
	key(t, s.try("acme", "anna", anna, here))
	for range s.held.queue {
		go s.held.do(func() {})
	}
	for s.held.waiting.Load() < int64(cap(s.held.slots)*(1+s.held.queue)) {
		time.Sleep(time.Millisecond)
	}
	if a := s.try("acme", "anna", anna, elsewhere(10)); a.Reason != policy.LoginBusy {
		t.Errorf("one more than may wait: got %+v", a)
	}
	if v, err := s.Hash(anna); err != nil || v == "" {
		t.Errorf("who is in already is held back: %v", err)
	}
}
