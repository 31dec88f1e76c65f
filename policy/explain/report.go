package explain

// Report is one decision, explained. It is plain data and marshals to JSON; texts from clients are
// escaped already.
type Report struct {
	Method    string     `json:"method"`
	Target    string     `json:"target"` // of a refused one without its query
	Route     *Route     `json:"route,omitempty"`
	Token     *Token     `json:"token,omitempty"`
	Scope     *Scope     `json:"scope,omitempty"` // nil: not judged, an earlier step ended it
	Paths     []Path     `json:"paths,omitempty"` // where there are others than the branch
	Entry     int        `json:"entry,omitempty"` // number of the one that decided, by the engine; 0: none
	Choices   []Choice   `json:"choices,omitempty"`
	Selectors []Selector `json:"selectors,omitempty"`
	Verdict   string     `json:"verdict"`
	Reason    string     `json:"reason"`
	Meaning   string     `json:"meaning"`          // the reason in a sentence
	Detail    string     `json:"detail,omitempty"` // what exactly is wrong with the request
	Answer    Answer     `json:"answer"`
	Backend   *Backend   `json:"backend,omitempty"` // nil: nothing is forwarded
	Open      []string   `json:"open,omitempty"`    // unresolved: what has to be asked first
	Notes     []string   `json:"notes,omitempty"`
	Hint      string     `json:"hint"`
}

// Route is how the path was read.
type Route struct {
	Shape      string   `json:"shape"`   // with {} for each selector
	Methods    []string `json:"methods"` // that the shape takes
	Collection string   `json:"collection"`
	Module     string   `json:"module"`
	Type       string   `json:"type"`
	Submodule  string   `json:"submodule,omitempty"`
	Addresses  string   `json:"addresses"` // what of the collection, in words
}

// Token is who asks. It never holds the key.
type Token struct {
	ID       int64  `json:"id"`
	Digest   string `json:"digest"` // the first 8 hex digits
	Info     string `json:"info,omitempty"`
	User     string `json:"user,omitempty"` // that it carries, and the realm, in words
	Access   string `json:"access"`
	CID      int64  `json:"cid"`
	Account  string `json:"account"` // its name with its id
	Place    string `json:"place,omitempty"`
	Validity string `json:"validity"`
}

// Scope is the branch that the request may touch.
type Scope struct {
	CID      int64  `json:"cid"`
	Account  string `json:"account"`
	Accounts int    `json:"accounts"` // in the branch
	By       string `json:"by"`       // what chose the branch
}

// Choice is one question put to the ACL, and how each entry answers it: those that cover the
// collection first, by rank, then the others by place.
type Choice struct {
	For     string  `json:"for"`
	Chosen  int     `json:"chosen"` // number of the entry, 0: none
	Entries []Entry `json:"entries"`
	Grants  bool    `json:"grants,omitempty"` // the entries are about topics: not ranked, and each that fits permits
}

// Entry is one entry of the ACL and why it decides or does not.
type Entry struct {
	Number   int    `json:"number"` // its place in the ACL, from 1
	Place    string `json:"place,omitempty"`
	URI      string `json:"uri"`
	Says     string `json:"says"`
	Covers   bool   `json:"covers"`    // its uri is about the collection
	NearMiss bool   `json:"near_miss"` // its uri is a piece of the collection's, but not by segments
	Chosen   bool   `json:"chosen"`
	Why      string `json:"why"`
}

// Selector is one selector of the path with what became of it.
type Selector struct {
	Number     int           `json:"number"` // in path order, from 1
	Kind       string        `json:"kind"`
	Collection string        `json:"collection,omitempty"` // "": local to its parent
	Linked     bool          `json:"linked"`
	Asked      string        `json:"asked"`
	Outcomes   []ItemOutcome `json:"fates,omitempty"`
}

// The outcomes of a Fate.
const (
	Passes  = "permitted"
	Refused = "denied"
	Dropped = "left out"   // not asked for by number: no error names it
	Unknown = "unresolved" // something has to be asked first
)

// Fate is what became of some items, and why.
type ItemOutcome struct {
	Outcome string  `json:"outcome"`
	IDs     []int64 `json:"ids,omitempty"`
	What    string  `json:"what,omitempty"` // where no ids are known
	Why     string  `json:"why"`
}

// Answer is what the client gets.
type Answer struct {
	Status int    `json:"status"` // 0: the backend's
	Code   int    `json:"code"`   // 0: none
	Says   string `json:"says"`
}

// Backend is what is forwarded.
type Backend struct {
	Method string `json:"method"`
	Target string `json:"target"`
	CID    int64  `json:"x_flespi_cid,omitempty"` // 0: the header is not sent, or there are Parts
	Parts  []Part `json:"parts,omitempty"`        // the requests that it goes out as, where no account is above all items
	Key    string `json:"credential"`             // the owner of it, never the key
}

// Part is one of several requests for items that have no common account.
type Part struct {
	CID int64   `json:"x_flespi_cid"`
	IDs []int64 `json:"ids"`
}
