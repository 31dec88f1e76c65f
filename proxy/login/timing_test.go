package login

import (
	"bytes"
	"flag"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"aclgate/policy"
	"aclgate/policy/realm"
)

var long = flag.Bool("long", false, "measure how long logins take")

// A name that nobody has is checked against a verifier that takes the same work as a user's: of the same
// form and cost, whatever realms.bcrypt_cost says (SPEC 14, 10).
func TestNobodyTakesTheSameWork(t *testing.T) {
	for cost := bcrypt.MinCost; cost < bcrypt.MinCost+3; cost++ {
		made, err := Hash(anna, cost)
		if err != nil {
			t.Fatal(err)
		}
		nobody := nobodys(cost)
		if realm.FormOf(nobody) != realm.FormOf(made) || len(nobody) != len(made) {
			t.Errorf("got %s, which is of another form than %s", nobody, made)
		}
		for _, verifier := range []string{made, nobody} {
			if got, err := bcrypt.Cost([]byte(verifier[len(realm.OwnMark):])); err != nil || got != cost {
				t.Errorf("%s: got cost %d, %v, want %d", verifier, got, err, cost)
			}
		}
		if matches(nobody, anna, func() {}) || matches(nobody, "", func() {}) {
			t.Error("a password matches nobody's")
		}
	}
}

// TestLoginTimes measures: the time of an answer does not tell which names exist. The medians, taken in turn,
// differ by less than 5 %.
func TestLoginTimes(t *testing.T) {
	if !*long {
		t.Skip("it takes half a minute: with -long")
	}
	const cost, tries = 10, 25
	verifier, err := Hash(anna, cost)
	if err != nil {
		t.Fatal(err)
	}
	p := world(t, "  - {id: 5, realm_id: 1, name: Anna, password_hash: "+verifier+"}\n")
	s, _ := service(p, new(bytes.Buffer))
	s.o.Cost, s.nobody = cost, nobodys(cost)
	var took [2][]time.Duration
	for i := range tries {
		for k, name := range []string{"anna", "nobody"} {
			began := time.Now()
			if a := s.try("acme", name, "wrong wrong wrong", netip.AddrFrom4([4]byte{10, 0, byte(k), byte(i)})); a.Reason != policy.LoginFailed {
				t.Fatalf("%s: got %+v", name, a)
			}
			took[k] = append(took[k], time.Since(began))
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	known, unknown := took[0][tries/2], took[1][tries/2]
	t.Logf("%v for a name that somebody has, %v for one that nobody has", known, unknown)
	if differ := float64(known-unknown) / float64(unknown); differ > 0.05 || differ < -0.05 {
		t.Errorf("the medians %v and %v differ by %.1f %%", known, unknown, 100*differ)
	}
}
