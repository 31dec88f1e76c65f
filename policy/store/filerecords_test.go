package store_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

const realmFile = `accounts: [{id: 1}, {id: 11, parent: 1}, {id: 12, parent: 1}]
realms:
  - {id: 1, cid: 11, public_id: acme, name: ACME, home: {type: 1, subaccount_id: 11}}
users:
  - {id: 5, realm_id: 1, name: Anna, password_hash: $2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234}
`

// Realms and users of a file are documents; the hash of a password is in none of them.
func TestRealmsOfAFile(t *testing.T) {
	p, faults := store.ReadPolicy("p.yaml", []byte(realmFile), nil, 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := string(p.Doc(store.Users, 5)), `{"cid":11,"id":5,"name":"Anna","realm_id":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	n := 0
	for id, doc := range p.Docs(store.Realms) {
		n++
		if id != 1 || !strings.Contains(string(doc), `"public_id":"acme"`) {
			t.Errorf("got %d %s", id, doc)
		}
	}
	if secret, err := p.Secret(5); n != 1 || err != nil || !strings.HasPrefix(secret, "$2b$04$") {
		t.Errorf("got %d realms and %q, %v", n, secret, err)
	}
	if _, err := p.Secret(6); err != store.ErrNoRow {
		t.Errorf("got %v", err)
	}
}

// What is wrong with a realm or a user is said with its place, and no hash is shown.
func TestFaultsOfRealms(t *testing.T) {
	for _, row := range [][3]string{
		{"cid: 11,", "cid: 99,", "p.yaml:3:5: realms[0]: cid: no account has the id 99"},
		{"public_id: acme", "public_id: a/b", "public_id: expected 1 to 64"},
		{"public_id: acme,", "", "realms[0]: public_id: is missing"},
		{"name: ACME", "nam: ACME", "realms[0]: nam: there is no such field"},
		{"subaccount_id: 11", "subaccount_id: 12", "home.subaccount_id: expected an account in the branch of 11"},
		{"type: 1, subaccount_id: 11", "type: 2, subaccount_id: 11", "users[0]: cid: is missing"},
		{"type: 1", "type: 7", "realms[0]: home.type: expected"},
		{"realm_id: 1", "realm_id: 2", "p.yaml:5:5: users[0]: realm_id: no realm has the id 2"},
		{"name: Anna", "name: Anna, cid: 12", "users[0]: cid: expected an account in the branch of 11"},
		{"name: Anna", "name: Anna, password: secretsecret", "users[0]: password: there is no such field"},
		{"$2b$04$a", "$2b$04$", "users[0].password_hash: expected what"},
		{"users:", "users:\n  - {id: 6, realm_id: 1, name: aNNA}", "users[1]: name: a user of this realm above"},
		{"users:", "users:\n  - {id: 5, realm_id: 1, name: bert}", "users[1]: id: a user above has this id too"},
		{"users:", "users:\n  - 7", "users[0]: expected a mapping"},
		{"realms:", "realms:\n  - {id: 1, cid: 1, public_id: other, name: x}", "realms[1]: id: a realm above has this id too"},
		{"realms:", "realms:\n  - {id: 2, cid: 1, public_id: acme, name: x}", "realms[1]: public_id: a realm above"},
		{"name: Anna", "name: Anna, roles: [x], token_params: {access: {type: 0}}", "token_params.access: expected none beside roles"},
	} {
		text := strings.Replace(realmFile, row[0], row[1], 1)
		p, faults := store.ReadPolicy("p.yaml", []byte(text), nil, 4)
		got := ""
		if err := faults.Err(); err != nil {
			got = err.Error()
		}
		if p != nil || !strings.Contains(got, row[2]) || strings.Contains(got, "ABCDEF") {
			t.Errorf("%s: got %s, want %s", row[1], got, row[2])
		}
	}
}

// Realms and users go into a database with their hashes, and come out as they were, without.
func TestRealmsAreTransferred(t *testing.T) {
	const roles = "roles:\n  - {id: 7, realm_id: 1, name: hr, access: {type: 2}, platform: [{uri: users, methods: [GET]}]}\n  - {id: 8, name: theirs, access: {type: 0}, reach: tree}\n"
	tr, faults := store.ReadTransfer("p.yaml", []byte(realmFile+roles), nil, 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	e, ctx := memory.New(), context.Background()
	for _, want := range []int{1, 0} {
		_, err := store.Write(ctx, store.LiveOptions{Engine: e, MaxDepth: 4}, "test", func(tx *store.Tx) error {
			d, err := tr.Import(tx, true, nil)
			if err == nil && (d.Added[store.Realms] != want || d.Added[store.Roles] != 2*want || d.Added[store.Users] != want || d.Changed[store.Users] != 0) {
				t.Errorf("got %s", d)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := e.View(ctx, func(r store.Reader) error {
		secret, err := r.Secret(5)
		if !strings.HasPrefix(secret, "$2b$04$") {
			t.Errorf("got %q", secret)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	var b bytes.Buffer
	if err := store.Export(ctx, e, &b, 4, false); err != nil {
		t.Fatal(err)
	}
	p, faults := store.ReadPolicy("q.yaml", b.Bytes(), nil, 4)
	if faults.Err() != nil || string(p.Doc(store.Users, 5)) != string(tr.Policy.Doc(store.Users, 5)) || strings.Contains(b.String(), "$2b$") {
		t.Errorf("got %v\n%s", faults, &b)
	}
	if string(p.Doc(store.Roles, 7)) != string(tr.Policy.Doc(store.Roles, 7)) || string(p.Doc(store.Roles, 8)) != string(tr.Policy.Doc(store.Roles, 8)) {
		t.Errorf("the roles are others:\n%s", &b)
	}
	if err := store.Export(ctx, e, &b, 4, true); err != nil { // the verifiers, where they are asked for
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "tokens: []\n")
	again, faults := store.ReadPolicy("r.yaml", []byte(text), nil, 4)
	if faults.Err() != nil {
		t.Fatal(faults)
	}
	was, _ := tr.Policy.Secret(5)
	if is, err := again.Secret(5); err != nil || is != was {
		t.Errorf("got %v\n%s", err, text)
	}
}
