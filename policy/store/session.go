package store

import (
	"slices"

	"aclgate/policy/record"
)

// SessionName is what sessions are called in info.
const SessionName = "login"

// FirstSession is below all ids of sessions that live in memory: 2^52, which no store gives, and which
// JavaScript still counts exactly.
const FirstSession = 1 << 52

// Session is a session of a user that is to be a row of Tokens: it has no access of its own.
type Session struct {
	User, CID int64
	Digest    string // of its key, in hexadecimal digits
	Now, Ends int64  // unix seconds
	TTL       int64  // seconds; 0: unused
	Most      int    // sessions that a user may have
	IPs       string // of a session that somebody made for the user; "": those of the user
	Origins   []string
}

// Sessions is what PutSession needs of a Tx.
type Sessions interface {
	EachOf(t Table, account int64, yield func(Row) error) error
	NewID(t Table) (int64, error)
	PutDoc(t Table, id int64, doc []byte) error
	Delete(t Table, id int64) error
}

// IsSession reports whether the document of a token is a session's, and of whom.
func IsSession(doc record.Value) (user int64, is bool) {
	user = record.NumberOf(doc, "user_id")
	return user, user != 0 && record.NumberOf(doc, "created_by") == 0 && record.NumberOf(doc.Get("access"), "type") == 3
}

// PutSession keeps a session, and returns its id. Those of the user that have ended go, and the oldest
// where there would be too many.
func PutSession(tx Sessions, s *Session) (id int64, err error) {
	var ended, alive []int64 // ids ascend: the oldest first
	err = tx.EachOf(Tokens, s.CID, func(row Row) error {
		doc, err := record.Parse(row.Doc)
		if err != nil {
			return nil // it is no token
		}
		switch user, is := IsSession(doc); {
		case !is || user != s.User:
		case record.NumberOf(doc, "expire") <= s.Now:
			ended = append(ended, row.ID)
		default:
			alive = append(alive, row.ID)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.Sort(alive)
	ended = append(ended, alive[:max(0, len(alive)-s.Most+1)]...)
	for _, old := range ended {
		if err := tx.Delete(Tokens, old); err != nil {
			return 0, err
		}
	}
	if id, err = tx.NewID(Tokens); err != nil {
		return 0, err
	}
	return id, tx.PutDoc(Tokens, id, s.doc(id).Append(nil))
}

func (s *Session) doc(id int64) record.Value {
	number := func(name string, n int64) record.Member { return record.Member{Name: name, Value: record.NewInt(n)} }
	text := func(name, text string) record.Member {
		return record.Member{Name: name, Value: record.NewText(text)}
	}
	doc := record.NewObject(
		number("id", id), text("key_sha256", s.Digest), number("cid", s.CID), text("info", SessionName), number("created", s.Now), number("expire", s.Ends),
		number("user_id", s.User), record.Member{Name: "access", Value: record.NewObject(number("type", 3))},
	)
	if s.TTL > 0 { // its last use is counted
		doc = doc.With("ttl", record.NewInt(s.TTL))
	}
	if s.IPs != "" {
		doc = doc.With("ips", record.NewText(s.IPs))
	}
	if s.Origins != nil {
		list := record.NewList()
		for _, o := range s.Origins {
			list.Items = append(list.Items, record.NewText(o))
		}
		doc = doc.With("origins", list)
	}
	return doc
}
