package topic

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

// onPath is a world whose broker is shared by path, four levels deep.
func onPath(t testing.TB) *world {
	w := newWorld(t, policy.ModeIDs)
	w.law = New(Options{Engine: w.engine, Namespace: ByPath, Prefix: "acc", Depth: 4})
	w.items = &placed{of: map[string]map[int64]int64{"gw/devices": {7: 11, 8: 12}}, tree: w.tree}
	return w
}

// TestPathsOfAccounts compares what is printed and delivered with the topics of every account, for
// tokens of every account: a branch gets its own and what is below, and nobody else's.
func TestPathsOfAccounts(t *testing.T) {
	w := onPath(t)
	parents := map[int64]int64{1: 0, 11: 1, 12: 1, 111: 11}
	paths := map[int64]string{1: "acc/1/-/-/-/", 11: "acc/1/11/-/-/", 12: "acc/1/12/-/-/", 111: "acc/1/11/111/-/"}
	inBranch := func(top, cid int64) bool {
		for ; cid != 0; cid = parents[cid] {
			if cid == top {
				return true
			}
		}
		return false
	}
	topics := []string{"a", "a/b", "b", "a//b", "/a", "acc/1/x", "-", "a/-/-", "1/11"}
	for top := range paths {
		tokens := map[string]*policy.Token{"standard": w.plain(policy.Standard, top), "acl": w.token(t, "mqtt subscribe a/#", "mqtt publish b")}
		tokens["acl"].CID = top
		for kind, tok := range tokens {
			j := w.judge(tok)
			for _, filter := range []string{"#", "+", "a/#", "a/b", "+/+", "b", "$share/g/a/#"} {
				for _, alone := range []int64{0, 1, 11, 12, 111} {
					var s Subscription
					reason := j.Subscribe(&s, []byte(filter), alone, 50)
					if alone != 0 && !inBranch(top, alone) {
						if reason != policy.ForeignAccount {
							t.Errorf("account %d asks for %d: got %v", top, alone, reason)
						}
						continue
					}
					if s.Wide {
						t.Errorf("%s of %d is wide", filter, top)
					}
					for cid, path := range paths {
						for _, topic := range topics {
							mapped, _ := w.law.AppendPath(nil, w.tree, cid, []byte(topic))
							if string(mapped) != path+topic {
								t.Fatalf("%s of %d: got %s", topic, cid, mapped)
							}
							asked := matchNaively(strings.TrimPrefix(filter, "$share/g/"), topic, false)
							mine := inBranch(top, cid) && (alone == 0 || alone == cid) && (kind == "standard" || matchNaively("a/#", topic, false))
							printed := slices.ContainsFunc(s.Printed, func(p Printed) bool {
								return matchNaively(strings.TrimPrefix(p.Filter, "$share/g/"), string(mapped), false)
							})
							if printed != (asked && mine) {
								t.Errorf("%s of %d (%s), %d alone, %s of %d: printed %s", filter, top, kind, alone, topic, cid, printedOf(&s))
							}
							got := j.Deliver(mapped, 0)
							if (got == policy.Permitted) != (inBranch(top, cid) && (kind == "standard" || matchNaively("a/#", topic, false))) {
								t.Errorf("%s to %d (%s): got %v", mapped, top, kind, got)
							}
							if got == policy.Permitted && (string(j.Shown()) != topic || j.Account() != cid) {
								t.Errorf("%s is shown as %s of %d", mapped, j.Shown(), j.Account())
							}
						}
					}
				}
			}
		}
	}
}

// What does not stand where the tree places an account is of nobody, whoever asks.
func TestPathsOfNobody(t *testing.T) {
	w := onPath(t)
	for _, topic := range []string{
		"a", "acc", "acc/1/11/-/-", "acc/11/-/-/-/a", "acc/1/111/-/-/a", "acc/1/11/-/111/a", "acc/-/-/-/-/a", "acc/1/99/-/-/a", "acc/01/-/-/-/a",
		"acc/1/-/11/-/a", "acc/1/11/-/-/flespi/rest/x", "acc/1/11/-/-/$SYS", "acc/1/11/x/-/a", "acc/1/11/+/-/a", "other/1/11/-/-/a", "acc/1/12/11/-/a",
		"$SYS/acc/1/11/-/-/a", "flespi/rest/x",
	} {
		if got := w.judge(w.plain(policy.Master, 1)).Deliver([]byte(topic), 11); got == policy.Permitted {
			t.Errorf("%s is delivered", topic)
		}
	}
	if _, ok := w.law.AppendPath(nil, w.tree, 99, []byte("a")); ok {
		t.Error("an account that is not there has a path")
	}
	// An account that was moved leaves behind what was retained.
	moved, _ := policy.NewTree([]policy.Account{{ID: 1}, {ID: 12, Parent: 1}, {ID: 11, Parent: 12}}, 4)
	j := w.judge(w.plain(policy.Standard, 1))
	for topic, want := range map[string]policy.Reason{"acc/1/11/-/-/a": policy.Permitted, "acc/1/12/11/-/a": policy.SenderOutside} {
		if got := j.Deliver([]byte(topic), 0); got != want {
			t.Errorf("%s: got %v", topic, got)
		}
	}
	j.Tree = moved
	for topic, want := range map[string]policy.Reason{"acc/1/11/-/-/a": policy.SenderOutside, "acc/1/12/11/-/a": policy.Permitted} {
		if got := j.Deliver([]byte(topic), 0); got != want {
			t.Errorf("moved, %s: got %v", topic, got)
		}
	}
}

// Platform topics stay where they are, and a PUBLISH goes to the account that it names.
func TestPathsBesidePlatformTopics(t *testing.T) {
	w := onPath(t)
	j := w.judge(w.plain(policy.Standard, 11))
	for topic, want := range map[string]policy.Reason{"flespi/message/gw/devices/7": policy.Permitted, "flespi/message/gw/devices/8": policy.DeniedItems} {
		if got := j.Deliver([]byte(topic), 0); got != want {
			t.Errorf("%s: got %v", topic, got)
		}
	}
	var s Subscription
	if reason := j.Subscribe(&s, []byte("#"), 0, 50); reason != policy.Narrowed || s.Wide ||
		printedOf(&s) != "acc/1/11/+/+/# | flespi/state/gw/devices/7/# | flespi/message/gw/devices/7/# | flespi/log/gw/devices/7/#" {
		t.Errorf("got %v %v %q", reason, s.Wide, printedOf(&s))
	}
	if reason := j.Subscribe(&s, []byte("#"), 0, 2); !Granted(reason) || !s.Wide || printedOf(&s) != "acc/1/11/+/+/# | flespi/#" {
		t.Errorf("wide: got %v %v %q", reason, s.Wide, printedOf(&s))
	}
	for cid, want := range map[int64]policy.Reason{0: policy.Permitted, 11: policy.Permitted, 111: policy.Permitted, 1: policy.ForeignAccount, 12: policy.ForeignAccount} {
		if got := j.Publish([]byte("a"), cid); got != want {
			t.Errorf("publish for %d: got %v", cid, got)
		}
	}
	topic := []byte("acc/1/11/111/-/a/b")
	if n := testing.AllocsPerRun(100, func() { j.Deliver(topic, 0) }); n != 0 || j.Deliver(topic, 0) != policy.Permitted {
		t.Errorf("got %v allocations, want 0", n)
	}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf, _ = w.law.AppendPath(buf[:0], w.tree, 111, topic) }); n != 0 {
		t.Errorf("got %v allocations of a path, want 0", n)
	}
}
