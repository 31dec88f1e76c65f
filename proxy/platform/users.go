package platform

import (
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

var users = collection{
	table: store.Users,
	realm: true,
	sees:  (*admin.Law).SeesUser,
	make:  makeUser,
	judge: func(x *call, before, _, after record.Value) *record.Fault {
		return x.law.ChangeUser(realmOf(x.law, before), before, after, x.password.Shape != record.Absent)
	},
	after: afterUser,
	remove: func(x *call, doc record.Value) error {
		if fault := x.law.DeleteUser(doc); fault != nil {
			return fault
		}
		return x.endUser(doc)
	},
}

// passwordField is the field of a body that gets into no document.
const passwordField = "password"

// maxPasswords bounds how many passwords one call writes: each takes a quarter of a second.
const maxPasswords = 16

// errHashFirst says that verifiers are missing: hashing takes too long for a transaction. Until it is
// done, everything else was judged, so that nobody has hashed what they may not write.
var errHashFirst = errors.New("passwords have to be hashed first")

// errBusy says that passwords cannot be hashed now.
var errBusy = errors.New("too many passwords are being hashed")

// hash makes the verifiers that are missing.
func (x *call) hash() error {
	if x.hashes == nil {
		x.hashes = map[string]string{}
	}
	for _, password := range x.missing {
		verifier, err := x.api.o.Hash(password)
		if err != nil {
			return errBusy
		}
		x.hashes[password] = verifier
	}
	return nil
}

// makeUser makes a user, and the account of one who gets an account of their own.
func makeUser(x *call, asked record.Value) (record.Value, error) {
	of := x.realms[0].doc
	account, fault := x.law.HomeAccount(of, asked)
	if fault != nil {
		return record.Value{}, fault
	}
	own := int64(0)
	if account.Shape != record.Absent {
		if x.api.o.OneAccount {
			return record.Value{}, &record.Fault{Class: record.InTheWay, Text: "scope.mode is none: there is one account"}
		}
		var err error
		if own, err = x.w.NewID(store.Accounts); err != nil {
			return record.Value{}, err
		}
		if err := x.put(store.Accounts, account.With("id", record.NewInt(own))); err != nil {
			return record.Value{}, err
		}
		x.view.grew(store.Accounts, account)
	}
	doc, fault := x.law.NewUser(of, asked, own)
	return doc, faultOf(fault)
}

// AccountFits returns an error unless one more account fits below another one: for users who are made
// where they are first seen, by no call.
func (a *API) AccountFits(r Reader, parent int64, now time.Time) error {
	w := &world{r: r, api: a, now: now.Unix()}
	w.forget()
	l := &admin.Law{Caller: admin.Caller{Operator: true}, World: w, Settings: a.o.Settings, Now: now.Unix()}
	fault := l.AccountFits(parent)
	if w.err != nil {
		return w.err
	}
	return faultOf(fault)
}

// takePassword takes the password out of a change.
func (x *call) takePassword(asked record.Value) (record.Value, *record.Fault) {
	x.password = record.Value{}
	given := asked.Get(passwordField)
	if x.col.table != store.Users || given.Shape == record.Absent {
		return asked, nil
	}
	password, fault := record.Password.Read(given)
	if fault != nil {
		return asked, fault.Below(passwordField)
	}
	x.password = password
	return asked.Without(passwordField), nil
}

// afterUser writes the password that is asked for. With another one, and when a user is disabled, all
// tokens of the user end.
func afterUser(x *call, before, after record.Value) error {
	was, is := realm.UserOf(before), realm.UserOf(after)
	written := x.password.Shape != record.Absent
	if written {
		if err := x.setPassword(&is); err != nil {
			return err
		}
	}
	if before.Shape != record.Absent && (written || was.Enabled && !is.Enabled) {
		_, err := x.endTokens(after)
		return err
	}
	return nil
}

func (x *call) setPassword(u *realm.User) error {
	password := x.password.Text
	if fault := realm.NewPassword(password, u.Name); fault != nil {
		return fault
	}
	if x.api.o.Hash == nil {
		return errBusy
	}
	verifier := x.hashes[password]
	if verifier == "" {
		if len(x.missing) == maxPasswords {
			return &record.Fault{Class: record.BadField, Path: passwordField, Text: "expected at most " + strconv.Itoa(maxPasswords) + " passwords in one call"}
		}
		x.missing = append(x.missing, password)
		return nil
	}
	return x.w.SetSecret(u.ID, verifier)
}

// endTokens ends the sessions of a user, and all tokens that were made with them: they lie in the
// branch of the home account.
func (x *call) endTokens(user record.Value) (ended int64, err error) {
	id := record.NumberOf(user, "id")
	var gone []int64
	x.view.inAccounts(store.Tokens, x.view.branch(record.NumberOf(user, "cid")), func(row store.Row) {
		if record.NumberOf(x.view.parse(row), "user_id") == id {
			gone = append(gone, row.ID)
		}
	})
	for _, token := range gone {
		if err := x.delete(store.Tokens, token); err != nil {
			return ended, err
		}
	}
	return int64(len(gone)), nil
}

// endUser takes along what belongs to a user who goes. An account of the user's own stays, blocked.
func (x *call) endUser(user record.Value) error {
	if _, err := x.endTokens(user); err != nil {
		return err
	}
	r := realm.RealmOf(realmOf(x.law, user))
	home := x.view.read(store.Accounts, record.NumberOf(user, "cid"))
	if r.Home.Type != realm.HomeOwn || home.Shape == record.Absent || record.NumberOf(home, "parent") != r.Home.Subaccount {
		return nil
	}
	for _, other := range x.view.UsersOf(r.ID) {
		if record.NumberOf(other, "id") != record.NumberOf(user, "id") && record.NumberOf(other, "cid") == record.NumberOf(user, "cid") {
			return nil // it is somebody else's too
		}
	}
	return x.put(store.Accounts, home.With("enabled", record.NewBool(false)))
}

// eachUser calls do with the users that the path names and the caller sees.
func (x *call) eachUser(do func(d document) error) error {
	if err := x.oneBody(); err != nil {
		return err
	}
	found, err := x.named()
	if err != nil {
		return err
	}
	for _, d := range found {
		if err := do(d); err != nil {
			return err
		}
	}
	return nil
}

// oneBody refuses a body: the path says it all.
func (x *call) oneBody() error {
	body, err := x.body()
	if err == nil && body.Shape != record.Null && !(body.Shape == record.Object && len(body.Members) == 0) {
		err = &record.Fault{Class: record.BadField, Text: "expected no body"}
	}
	return err
}

// logins makes a session of a user without the password.
func (x *call) logins() error {
	return x.eachUser(func(d document) error {
		of := realmOf(x.law, d.doc)
		ends, fault := x.law.Login(of, d.doc)
		if fault != nil {
			return fault
		}
		u, r, t := realm.UserOf(d.doc), realm.RealmOf(of), &x.law.Caller.Token
		params := r.Params
		if u.Params != nil {
			params = *u.Params
		}
		last := x.Now.Add(x.api.o.MaxAge).Unix()
		if ends > 0 {
			last = min(last, ends)
		}
		key, digest := store.NewKey()
		s := store.Session{User: u.ID, CID: r.HomeOf(&u), Digest: hex.EncodeToString(digest[:]), Now: x.Now.Unix(), Ends: last, TTL: params.TTL, Most: x.api.o.MaxSessions}
		if params.Sources == nil && !x.Operator {
			s.IPs = record.SourcesText(t.Sources)
		}
		if params.Origins == nil && !x.Operator {
			s.Origins = t.Origins
		}
		if _, err := store.PutSession(x.w, &s); err != nil {
			return err
		}
		x.rows = append(x.rows, record.Logins.Choose(record.NewObject(record.Member{Name: "token", Value: record.NewText(key)}), x.fields))
		return nil
	})
}

// logouts ends all sessions of users, and the tokens that were made with them.
func (x *call) logouts() error {
	return x.eachUser(func(d document) error {
		ended, err := x.endTokens(d.doc)
		row := record.NewObject(record.Member{Name: "id", Value: record.NewInt(d.id)}, record.Member{Name: "ended", Value: record.NewInt(ended)})
		x.rows = append(x.rows, record.Logouts.Choose(row, x.fields))
		return err
	})
}

// passwords takes the passwords of users away, and ends their sessions.
func (x *call) passwords() error {
	return x.eachUser(func(d document) error {
		if fault := x.law.DeleteUser(d.doc); fault != nil {
			return fault
		}
		if err := x.w.SetSecret(d.id, ""); err != nil {
			return err
		}
		if err := x.put(store.Users, d.doc); err != nil { // the history says who did it
			return err
		}
		_, err := x.endTokens(d.doc)
		x.rows = append(x.rows, record.Passwords.Choose(record.NewObject(record.Member{Name: "id", Value: record.NewInt(d.id)}), x.fields))
		return err
	})
}

// writesPassword reports whether the call is one that writes or takes away a password, for the history.
func (x *call) writesPassword() bool {
	if x.col.route.Kind == record.Passwords {
		return true
	}
	m := x.Request.Method
	if x.col.route.Kind != record.Users || m != policy.PUT && m != policy.PATCH {
		return false
	}
	body, err := x.body()
	if body.Shape == record.List && len(body.Items) == 1 {
		body = body.Items[0]
	}
	return err == nil && body.Get(passwordField).Shape != record.Absent
}

// keepUser has UsersOf know a user as it is written; Absent: one who goes.
func (w *world) keepUser(id int64, doc record.Value) {
	is := func(d record.Value) bool { return record.NumberOf(d, "id") == id }
	for of, all := range w.users {
		w.users[of] = slices.DeleteFunc(slices.Clone(all), is)
	}
	of := record.NumberOf(doc, "realm_id")
	if all, known := w.users[of]; known && doc.Shape != record.Absent {
		w.users[of] = append(all, doc)
	}
}
