package store

import (
	"crypto/sha256"
	"errors"
	"time"

	"aclgate/policy"
)

// Record is a token as it was loaded, and the entries to compile its ACL from. It is immutable, but
// for the last use that Token.Used counts.
type Record struct {
	Token   policy.Token // without ACL
	Entries []policy.Entry
	Made    Made
	Roles   []Role // of a token that has roles, and no entries; no store keeps them
}

// Role is a role with the entries to compile its ACL from.
type Role struct {
	policy.UserRole
	Entries []policy.Entry
	All     bool // it asks no entries
}

// UserRoles compiles the roles of a token.
func (r *Record) UserRoles(cat *policy.Catalogue) (roles []policy.UserRole) {
	for _, from := range r.Roles {
		role := from.UserRole
		if !from.All {
			role.ACL = policy.NewACL(from.Entries, cat)
		}
		roles = append(roles, role)
	}
	return roles
}

// Made says by whom a token was made and whose rights bound it (SPEC 10.4). 0 is nobody.
type Made struct {
	By    int64 // the token that made it
	User  int64 // the user that it carries
	Realm int64 // of that user
}

// Store tells tokens and accounts. Its methods may be called from any number of goroutines and do
// not wait for changes that are under way.
type Store interface {
	// Revision grows whenever what Load returns for a digest with this key (policy.Digest.Key) may
	// have changed, and not before Load returns it. A change of one token moves the revisions of
	// few keys.
	Revision(key uint64) uint64
	// Fresh reports whether the store may still be believed at now: a store that follows a database
	// may be no longer, once it has not heard from it for too long (SPEC 15.4). It is asked for
	// every request, before the cache.
	Fresh(now time.Time) bool
	// Load returns the record of the token with this digest, ErrNotFound without one, and ErrStale
	// when the store cannot tell.
	Load(policy.Digest) (*Record, error)
	// Tree returns the account tree.
	Tree() *policy.Tree
}

// What Load ends with instead of a record.
var (
	ErrNotFound = errors.New("no token has this digest")
	ErrStale    = errors.New("the store is too old to tell")
)

// DigestOf returns the digest of a key.
func DigestOf(key []byte) policy.Digest { return sha256.Sum256(key) }
