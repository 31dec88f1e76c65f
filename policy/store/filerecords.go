package store

import (
	"iter"

	"aclgate/config/strict"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// listed is a record of a list of the file, and where it stands.
type listed struct {
	doc    record.Value
	at     strict.Pos
	path   string
	secret string // of a user: the verifier of the password
}

// passwordHash is the key of a user in the file that holds the verifier of the password. It is in no
// document: no row can show it.
const passwordHash = "password_hash"

// readRecords reads realms, users and roles. A user without cid gets the one that follows from the realm.
func (r *reader) readRecords(m *strict.Map) {
	realms, users := r.readList(m.Opt("realms"), record.Realms), r.readList(m.Opt("users"), record.Users)
	roles := r.readList(m.Opt("roles"), record.Roles)
	if len(r.faults) > 0 { // what does not read would bring faults of what refers to it
		return
	}
	c := realm.NewChecker(r.policy.Tree)
	for _, l := range roles {
		if fault := c.Role(l.doc); fault != nil {
			r.fault(l.at, "%s: %s", l.path, fault)
		}
		r.policy.keepDoc(Roles, record.NumberOf(l.doc, "id"), l.doc.Append(nil))
	}
	for _, l := range realms {
		if fault := c.Realm(l.doc); fault != nil {
			r.fault(l.at, "%s: %s", l.path, fault)
		}
		r.policy.keepDoc(Realms, record.NumberOf(l.doc, "id"), l.doc.Append(nil))
	}
	for _, l := range users {
		doc, fault := c.User(l.doc)
		if fault != nil {
			r.fault(l.at, "%s: %s", l.path, fault)
			continue
		}
		id := record.NumberOf(doc, "id")
		r.policy.keepDoc(Users, id, doc.Append(nil))
		if l.secret != "" {
			r.policy.secrets[id] = l.secret
		}
		r.pace.step()
	}
}

// readList reads the records of one kind.
func (r *reader) readList(n *strict.Node, kind *record.Kind) (all []listed) {
	for _, element := range n.List() {
		l := listed{at: element.Pos(), path: element.Path()}
		v, err := record.Parse(element.AppendJSON(nil))
		if err != nil {
			element.Fault("%s", err)
			continue
		}
		if hash := element.Member(passwordHash); hash != nil && kind == record.Users {
			l.secret = r.readHash(hash)
			v = v.Without(passwordHash)
		}
		var fault *record.Fault
		if l.doc, fault = realm.Read(kind, v); fault != nil {
			r.fault(l.at, "%s: %s", l.path, fault)
			continue
		}
		all = append(all, l)
	}
	return all
}

// readHash reads the verifier of a password. No fault shows it.
func (r *reader) readHash(n *strict.Node) string {
	text, _ := scalar(n)
	if realm.FormOf(text) == realm.NoForm {
		n.Fault("expected what `aclgate user hash` prints, or a bcrypt ($2b$) or argon2id hash of moderate cost")
		return ""
	}
	return text
}

// Doc returns a document of a table, or nil: see Docs.
func (p *Policy) Doc(t Table, id int64) []byte { return p.docs[t][id] }

// Secret returns the verifier of a user's password, or ErrNoRow.
func (p *Policy) Secret(user int64) (string, error) {
	if secret := p.secrets[user]; secret != "" {
		return secret, nil
	}
	return "", ErrNoRow
}

// Doc returns a record of the file that is obeyed: see Policy.Doc.
func (f *File) Doc(t Table, id int64) []byte { return f.current.Load().policy.Doc(t, id) }

// Docs yields records of the file that is obeyed: see Policy.Docs.
func (f *File) Docs(t Table) iter.Seq2[int64, []byte] { return f.current.Load().policy.Docs(t) }

// Secret returns the verifier of a user's password by the file that is obeyed: see Policy.Secret.
func (f *File) Secret(user int64) (string, error) { return f.current.Load().policy.Secret(user) }
