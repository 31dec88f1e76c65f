package store

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// Table names a kind of managed record by the number that changes have (SPEC 15.3).
type Table uint8

// The tables.
const (
	Accounts Table = 1 + iota
	Tokens
	Roles
	Grants
	Limits
	Realms
	Users
	Items      // whose items are: see Owner. A row has a number, which changes name
	GrantLinks // whom grants are for: a row is all links of one grant, a list of account ids
	tableEnd
)

// Tables are all of them, in an order in which what is referred to comes first.
func Tables() []Table {
	return []Table{Accounts, Tokens, Roles, Grants, Limits, Realms, Users, Items, GrantLinks}
}

// HasDocs reports whether the rows of a table are documents, which Put writes. Those of Items and
// GrantLinks are made of columns.
func (t Table) HasDocs() bool { return t >= Accounts && t <= Users }

// TableSet is a set of tables.
type TableSet uint16

// With returns the set with a table.
func (s TableSet) With(t Table) TableSet { return s | 1<<t }

// Has reports whether a table is in the set.
func (s TableSet) Has(t Table) bool { return s&(1<<t) != 0 }

// AllTables are all of them.
const AllTables TableSet = 1<<tableEnd - 1<<Accounts

// KeepDeleted is how long documents of deleted rows are kept.
const KeepDeleted = 30 * 24 * time.Hour

// BackupGap is how many ids of each table a backup leaves out: more than are given between it and the day
// on which it is put back.
const BackupGap = 1_000_000

var tableNames = [tableEnd]string{"", "accounts", "tokens", "roles", "grants", "limits", "realms", "users", "items", "grant_links"}

// String returns the name of the table, "" for a number that has none.
func (t Table) String() string {
	if t >= tableEnd {
		return ""
	}
	return tableNames[t]
}

// Row is a record as the engine keeps it: the JSON that a policy file takes for it. Of Items it is
// {"collection","id","cid"}, of GrantLinks a list of account ids in ascending order.
type Row struct {
	Table Table
	ID    int64
	Doc   []byte // nil: there is no such row any more
	Mark  Mark   // of its last change, where Reader.Get returns it; zero: history does not know
}

// Mark is the random value of a change. A revision is a number, which a database that went back to
// an older state gives again; the mark beside it is then another one.
type Mark [16]byte

// String returns the mark in hexadecimal digits.
func (m Mark) String() string { return hex.EncodeToString(m[:]) }

// Owner says which account an item belongs to, where the backend knows no accounts.
type Owner struct {
	Collection string `json:"collection"` // as in paths: gw/devices
	ID         int64  `json:"id"`
	CID        int64  `json:"cid"`
}

// Deleted is a row that was taken away, and can be put back for KeepDeleted.
type Deleted struct {
	Row
	At time.Time
}

// Head is where a database is.
type Head struct {
	Rev     int64 // of the last change
	Floor   int64 // changes up to this one are no longer in the history
	Version int   // of the schema
}

// Change is one committed change. Its revision is one above that of the change before it.
type Change struct {
	Rev    int64
	Mark   Mark
	Table  Table
	IDs    []int64 // none: too many to name, read everything
	At     time.Time
	Actor  string  // who: a token's id, a user, "operator", or "db" for a hand in the database; behind it how, in words
	Before []byte  // JSON: a row, or a list of rows; nil: there was none, or too many
	After  []byte  // the same
	Gone   []int64 // those of IDs that are not there any more; only LiveOptions.Applied is told
}

// Batch is what Engine.Since found in one snapshot.
type Batch struct {
	Head    Head
	At      Mark     // of the change that the caller asked from; zero: the database does not know it
	Changes []Change // after it, in their order, without Before and After. They may be the first of more
	Rows    []Row    // that the changes name, as they are in the snapshot; one without Doc is gone
}

// Use is the last use of a token that lives by its ttl.
type Use struct{ Token, At int64 } // id; unix seconds

// Beat is what a gateway tells of itself.
type Beat struct {
	Replica string // its name
	Version string // of the program
	Applied int64  // the revision that it obeys
	Mark    Mark   // of that; where the database has another one, the gateway obeys nothing of it
	Lazy    bool   // nothing rests on it but what others wait for: it need not be on a disk
}

// Replica is what the database knows of one gateway.
type Replica struct {
	Beat
	Beats int64         // how many there were; one that stands still is silent
	Age   time.Duration // since the last one, by the database's clock
}

// Who returns who made the change, and how: further words, each name=value.
func (c *Change) Who() (actor, how string) {
	actor, how, _ = strings.Cut(c.Actor, " ")
	if actor == "user" { // and which one
		var id string
		id, how, _ = strings.Cut(how, " ")
		actor += " " + id
	}
	return actor, how
}

// ChangeQuery selects changes of the history.
type ChangeQuery struct {
	After int64 // revision
	Table Table // 0: of every table
	ID    int64 // of one row; 0: of all
	Limit int   // at most so many
}

// What engines and writers end with.
var (
	// ErrNoRow says that there is no such row.
	ErrNoRow = errors.New("there is no such record")
	// ErrTaken says that another row has a value that only one may have, such as a key.
	ErrTaken = errors.New("another record has this value, and only one may have it")
	// ErrReadOnly says that an engine has no login that writes.
	ErrReadOnly = errors.New("this gateway only reads the store: store.admin_url_file is empty; ask a gateway that has one, or name the file")
	// ErrUnmet says that a transaction was not made because of what the schema demands at its end.
	ErrUnmet = errors.New("the schema refuses the change: a record refers to one that is not there")
	// ErrChanged says that a record is not any more what the caller has read.
	ErrChanged = errors.New("the record was changed meanwhile")
)

// Reader reads rows in one snapshot.
type Reader interface {
	// Get returns a row with the mark of its last change, or ErrNoRow.
	Get(t Table, id int64) (Row, error)
	// Doc is Get without the mark, which costs more than the document.
	Doc(t Table, id int64) ([]byte, error)
	// Each calls yield with every row of a table, by ascending id, until it returns an error, which
	// Each then returns. Doc is valid during the call. Mark is not set.
	Each(t Table, yield func(Row) error) error
	// EachOf is Each for the rows that belong to the account, as Holds has it. Rows of GrantLinks are
	// no account's, and end with an error.
	EachOf(t Table, account int64, yield func(Row) error) error
	// Holds reports whether a row of a table belongs to the account; of Accounts, whether one is
	// right below it; of Roles, whether one belongs to the realm; of GrantLinks, whether a grant is
	// for the account.
	Holds(t Table, account int64) (bool, error)
	// Bearer returns an account that a limit bounds, by its limit_id, or ErrNoRow.
	Bearer(limit int64) (account int64, err error)
	// CountTokens returns how many tokens belong to accounts, each named once, without those that a
	// login made.
	CountTokens(accounts []int64) (n int64, err error)
	// Owner returns the account of an item, or ErrNoRow.
	Owner(collection string, id int64) (Owner, error)
	// Sealed returns the sealed key of a token, or ErrNoRow.
	Sealed(token int64) ([]byte, error)
	// Secret returns the verifier of a user's password, or ErrNoRow.
	Secret(user int64) (string, error)
	// EachDeleted calls yield with what was taken away from a table and is kept, by ascending id,
	// until it returns an error. Doc is valid during the call.
	EachDeleted(t Table, yield func(Deleted) error) error
}

// Writer changes rows in one transaction. It sees what it has changed.
type Writer interface {
	Reader
	// Put adds a row with a document, or replaces it. Where a value is taken it, a later call, or the part
	// or transaction ends with ErrTaken.
	// What was kept of a deleted row with this id is forgotten.
	Put(t Table, id int64, doc []byte) error
	// Delete takes a row with a document away, or ends with ErrNoRow. The document is kept for
	// KeepDeleted, but for those of tokens. What belongs to the row alone goes with it: links of a
	// grant, the secret of a user, the sealed key and the last use of a token.
	Delete(t Table, id int64) error
	// NewID returns an id that no row of the table has or ever had.
	NewID(t Table) (int64, error)
	// PutOwner sets the account of an item. What is known already makes no revision.
	PutOwner(o Owner) error
	// DeleteOwner forgets the account of an item, or ends with ErrNoRow.
	DeleteOwner(collection string, id int64) error
	// Link makes a grant one for an account, or ends with ErrNoRow without that grant. What is known
	// already makes no revision.
	Link(grant, account int64) error
	// Unlink ends that, or ends with ErrNoRow.
	Unlink(grant, account int64) error
	// Seal keeps the sealed key of a token, or ends with ErrNoRow without that token; nil takes it
	// away. It makes no revision.
	Seal(token int64, box []byte) error
	// SetSecret keeps the verifier of a user's password, or ends with ErrNoRow without that user; ""
	// takes it away. It makes no revision, and stands in no history.
	SetSecret(user int64, verifier string) error
	// Part makes changes that stand or fall together, in the name of an actor of their own: where change
	// returns an error they are taken back, Part returns that error, and the transaction goes on. No part
	// lies in another one.
	Part(actor string, change func() error) error
}

// Engine is a database of records with a history of changes. The package comment says what it has
// to promise. Its methods may be called from any number of goroutines; none is called by a request.
// Their errors say what happened and what to do, and hold no credential.
type Engine interface {
	// Name says in messages which database this is, without credentials.
	Name() string
	// Since returns the head, and what has changed after a revision.
	Since(ctx context.Context, after int64) (*Batch, error)
	// All calls yield with every row, accounts first, and returns the head and its mark in the same
	// snapshot. Doc is valid during the call.
	All(ctx context.Context, yield func(Row) error) (Head, Mark, error)
	// Beat writes that this gateway is alive. Where nobody else may be, it may do nothing. It fails
	// on a database that takes no writes, and, unless it is lazy, where nothing can be committed.
	Beat(ctx context.Context, b Beat) error
	// Replicas returns every gateway that has ever beaten and was not forgotten.
	Replicas(ctx context.Context) ([]Replica, error)
	// Leave forgets a gateway that ends.
	Leave(ctx context.Context, replica string) error
	// Forget forgets a gateway whose beats have stood still at that number.
	Forget(ctx context.Context, replica string, beats int64) error
	// View reads in one snapshot.
	View(ctx context.Context, read func(Reader) error) error
	// Write makes the changes of one transaction in the name of actor, and returns the head that
	// they led to. Where change returns an error nothing is changed. When Write returns nil the
	// changes survive the end of the process and of the machine.
	Write(ctx context.Context, actor string, change func(Writer) error) (Head, error)
	// Changes calls yield with changes of the history by ascending revision.
	Changes(ctx context.Context, q ChangeQuery, yield func(Change) error) error
	// Uses calls yield with the last use of every token that one is known of.
	Uses(ctx context.Context, yield func(Use) error) error
	// SaveUses raises last uses of tokens that there are; what is lower than what is known stays out. It makes no revision.
	SaveUses(ctx context.Context, uses []Use) error
	// Prune forgets the history before a moment, raises the floor, and returns how many changes it
	// forgot. It also forgets what was deleted longer than KeepDeleted ago.
	Prune(ctx context.Context, before time.Time) (int64, error)
	// Close gives back what the engine holds.
	Close() error
}
