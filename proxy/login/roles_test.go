package login

import (
	"bytes"
	"slices"
	"testing"

	"aclgate/policy"
	"aclgate/policy/store"
)

// A user has what their roles say, the realm's first, then the operator's, then the built-in ones.
func TestRolesOfUsers(t *testing.T) {
	p, faults := store.ReadPolicy("p.yaml", []byte(`accounts:
- {id: 1}
- {id: 11, parent: 1, account_roles: [agent]}
- {id: 12, parent: 1, consultancy_account_id: 11}
- {id: 13, parent: 11, consultancy_account_id: 11}
- {id: 14, parent: 12, consultancy_account_id: 12}
realms:
- {id: 1, cid: 11, public_id: acme, name: ACME}
- {id: 2, cid: 1, public_id: root, name: root}
- {id: 3, cid: 12, public_id: rich, name: rich, token_params: {access: {type: 0}}}
roles:
- {id: 1, name: near, realm_id: 1, reach: clients, access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}}
- {id: 2, name: agents, reach: branch, access: {type: standard}, when: {account_roles: [agent]}}
- {id: 3, name: others, reach: branch, access: {type: standard}, when: {account_roles: [agent, other]}}
users:
- {id: 1, realm_id: 1, name: a}
- {id: 2, realm_id: 1, name: b, roles: [consultant, near, agents, others, admin]}
- {id: 3, realm_id: 2, name: c, roles: [admin-reader, admin]}
- {id: 4, realm_id: 3, name: d}
- {id: 5, realm_id: 3, name: e, roles: [account-admin]}
`), nil, 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	s, records := service(p, new(bytes.Buffer))
	st := s.Store(fileStore{records})
	for user, want := range map[int64][]string{1: {"member"}, 2: {"member", "consultant", "near", "agents"}, 3: {"member", "admin-reader", "admin"}, 4: nil, 5: {"member", "account-admin"}} {
		d := policy.Digest{byte(user)}
		s.sessions.put(&session{digest: d, user: user, ends: 1 << 40}, s.sessions.swept, 10)
		rec, err := st.Load(d)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rec.Roles {
			got = append(got, r.Name)
			clients := map[string][]int64{"consultant": {12, 13}, "near": {13}}[r.Name]
			if !slices.Equal(r.Clients, clients) || r.All != (r.Name == "admin" || r.Name == "agents") {
				t.Errorf("user %d, %s: got %+v", user, r.Name, r)
			}
		}
		if !slices.Equal(got, want) || rec.Token.IsUser != (user != 4) || len(rec.Entries) > 0 {
			t.Errorf("user %d: got %v %+v, want %v", user, got, rec.Token, want)
		}
		if access := rec.Token.Access; user != 4 && access != policy.ACLAccess || user == 4 && access != policy.Standard {
			t.Errorf("user %d: got %v", user, access)
		}
	}
}
