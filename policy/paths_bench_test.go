package policy_test

import (
	"slices"
	"testing"

	"aclgate/policy"
)

// pathScene is a request in ids mode of an account with as many access paths as paths says: its branch,
// and grants of others on a tenth of what it has itself.
func pathScene(t testing.TB, target string, paths int) *scene {
	t.Helper()
	const own = 5000
	s := &scene{method: policy.GET, target: []byte(target)}
	s.engine = policy.Engine{Catalogue: catalogue(t), MaxIDs: 10000, Mode: policy.ModeIDs}
	accounts := []policy.Account{{ID: 1}, {ID: 11, Parent: 1}}
	items := &arrayItems{of: map[int64][]int64{}, accounts: make([]int64, 2*own)}
	give := func(cid, from, n int64) {
		for id := from; id < from+n; id++ {
			items.accounts[id], items.of[cid] = cid, append(items.of[cid], id)
		}
	}
	give(11, 1, own)
	var grants []policy.Grant
	for i := range int64(paths - 1) {
		cid, first := 100+i, own+1+i*own/10
		accounts = append(accounts, policy.Account{ID: cid, Parent: 1})
		give(cid, first, own/10)
		grants = append(grants, policy.Grant{ID: i + 1, CID: cid, Enabled: true, Grantees: []int64{11},
			Access: []policy.GrantAccess{{URI: "gw/devices", IDs: policy.NewIDSet(items.of[cid]), Levels: policy.LevelView}}})
	}
	tree, _ := policy.NewTree(accounts, 4)
	token := &policy.Token{CID: 11, Access: policy.Standard, Enabled: true, Expire: 100}
	s.c = policy.Input{Request: &s.r, Token: token, Tree: tree, Items: items, Grants: policy.NewGrants(grants)}
	return s
}

// arrayItems is an index that costs next to nothing, as the real one does.
type arrayItems struct {
	accounts []int64
	of       map[int64][]int64
}

func (a *arrayItems) Account(_ *policy.Collection, id int64) (int64, bool) {
	return a.accounts[id], a.accounts[id] != 0
}
func (a *arrayItems) Of(_ *policy.Collection, cid int64) []int64  { return a.of[cid] }
func (a *arrayItems) Doubtful(*policy.Collection, int64) []int64  { return nil }
func (a *arrayItems) Members(*policy.Collection, []int64) []int64 { return nil }

// BenchmarkPaths shows what access paths cost: one is the branch alone.
func BenchmarkPaths(b *testing.B) {
	for _, row := range []struct{ name, target string }{
		{"one id", "/gw/devices/7"}, {"list", "/gw/devices/" + numbers(1, 1000, 1)}, {"all", "/gw/devices/all"},
	} {
		for _, paths := range []string{"1", "3"} {
			b.Run(row.name+"/"+paths, func(b *testing.B) {
				s := pathScene(b, row.target, int(paths[0]-'0'))
				for b.Loop() {
					s.run()
				}
			})
		}
	}
}

func TestPathsAllocateNothing(t *testing.T) {
	for _, target := range []string{"/gw/devices/7", "/gw/devices/7,5001,9999", "/gw/devices/all"} {
		s := pathScene(t, target, 3)
		s.run()
		if got := testing.AllocsPerRun(50, func() { s.run() }); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", target, got)
		}
		if want := target != "/gw/devices/7"; s.d.Granted() != want {
			t.Errorf("%s: granted is %v", target, !want)
		}
	}
}

// roleScene is pathScene with one path for a user with one role, which reads their own account.
func roleScene(t testing.TB, target string) *scene {
	s := pathScene(t, target, 1)
	user := *s.c.Token
	acl := policy.NewACL([]policy.Entry{{URI: "gw", Methods: policy.Methods(policy.GET, policy.PUT), Rule: policy.IDsAll}}, s.engine.Catalogue)
	user.IsUser, user.Access, user.Roles = true, policy.ACLAccess, []policy.UserRole{{Name: "member", ACL: acl}}
	s.c.Token = &user
	return s
}

// BenchmarkRole shows what a user with one role costs beside a token with the same entries.
func BenchmarkRole(b *testing.B) {
	for _, target := range []string{"/gw/devices/7", "/gw/devices/" + numbers(1, 1000, 1), "/gw/devices/all"} {
		name := target[:min(len(target), 15)]
		b.Run(name+"/role", func(b *testing.B) {
			s := roleScene(b, target)
			b.ReportAllocs()
			for b.Loop() {
				s.run()
			}
		})
		b.Run(name+"/acl", func(b *testing.B) {
			s := roleScene(b, target)
			token := *s.c.Token
			token.IsUser, token.ACL, token.Roles = false, token.Roles[0].ACL, nil
			s.c.Token = &token
			b.ReportAllocs()
			for b.Loop() {
				s.run()
			}
		})
	}
}

func TestRolesAllocateNothing(t *testing.T) {
	for _, target := range []string{"/gw/devices/7", "/gw/devices/7,8,9", "/gw/devices/all", "/gw/devices/7,9999"} {
		s := roleScene(t, target)
		s.run()
		if got := testing.AllocsPerRun(50, func() { s.run() }); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", target, got)
		}
	}
}

// Twenty grants in one list: each item once, in order.
func TestManyPaths(t *testing.T) {
	s := pathScene(t, "/gw/devices/all", 9)
	s.run()
	ids := s.d.Selectors[0].IDs
	if want := 5000 + 8*500; len(ids) != want || !slices.IsSorted(ids) {
		t.Errorf("got %d ids, want %d in order", len(ids), want)
	}
}
