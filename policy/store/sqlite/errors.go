package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"modernc.org/sqlite"

	"aclgate/policy/store"
)

// Result codes of SQLite (sqlite.org/rescode.html).
const (
	codePerm          = 3
	codeBusy          = 5
	codeLocked        = 6
	codeReadOnly      = 8
	codeIO            = 10
	codeCorrupt       = 11
	codeFull          = 13
	codeCantOpen      = 14
	codeProtocol      = 15
	codeConstraint    = 19
	codeNotDB         = 26
	constraintForeign = 787
	constraintUnique  = 2067
)

// advice says what a result means and what to do. The last step is the reader's.
var advice = map[int]string{
	codePerm:       "this user may not open it: the file and its folder have to be the gateway's, because SQLite writes beside it",
	codeCantOpen:   "this user may not open it: the file and its folder have to be the gateway's, because SQLite writes beside it",
	codeReadOnly:   "it cannot be written: the file and its folder have to be the gateway's, and the disk not mounted read-only",
	codeBusy:       "another process holds it locked: end that one (`fuser` shows which), then try again",
	codeProtocol:   "another process holds it locked: end that one (`fuser` shows which), then try again",
	codeLocked:     "another process holds it locked: end that one (`fuser` shows which), then try again",
	codeIO:         "the disk cannot be read or written: look into the log of the system before anything else",
	codeFull:       "the disk is full: make room, then try again; nothing was changed",
	codeCorrupt:    "the file is damaged: keep it, put the newest backup in its place, and see with `aclgate store verify --offline` whether that one is sound",
	codeNotDB:      "this is no SQLite database, or a damaged one: store.path names another file, or it is time for the newest backup",
	codeConstraint: "the schema refuses the record: a value is missing, of the wrong kind, or refers to a record that is not there",
}

// code returns the extended result code of an error; 0 of one that is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// isPolicyName reports whether a file is called as policy files are.
func isPolicyName(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path))
}

// explain says of an error of SQLite which file it is about and what to do. Others stay as they
// are. No text of SQLite holds a value of a record but for those of triggers, which are ours.
func (e *Engine) explain(err error) error {
	c := code(err)
	if c == 0 || errors.Is(err, store.ErrTaken) || errors.Is(err, context.Canceled) {
		return err
	}
	if c&0xff == codeNotDB && isPolicyName(e.path) {
		return fmt.Errorf("%s: this is a policy file, not a database: leave store.path out, then `aclgate store migrate` and `aclgate store import %s`",
			e.path, filepath.Base(e.path))
	}
	if text, found := advice[c&0xff]; found {
		return fmt.Errorf("%s: %s (%w)", e.path, text, err)
	}
	return fmt.Errorf("%s: %w", e.path, err)
}
