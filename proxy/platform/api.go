package platform

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// Bounds of a call.
const (
	// MaxBody is the most bytes of a body.
	MaxBody = 1 << 20
	// maxRows is the most rows of an answer; of more the client asks for pages.
	maxRows = 10000
	// maxWait is how long a call may take at the store.
	maxWait = 30 * time.Second
)

// Options are what the API is made of.
type Options struct {
	Store    Store
	Settings admin.Settings
	MaxWrite int // policy.max_write; 0: no bound

	// FixedAccounts says why accounts are neither made nor deleted here, "" where they are; PUT and
	// PATCH are served all the same (SPEC 9).
	FixedAccounts string
	// OneAccount says that a second account has no place: scope.mode none.
	OneAccount bool
	// Release says that items belong to accounts by the store's own record, and wait at the roots when
	// their account goes.
	Release bool

	// Tree is that of accounts that are the backend's (scope.accounts: backend); nil: they are records.
	Tree func() *policy.Tree

	// Owners is that of admin.World; nil: nobody knows.
	Owners func(uri string, id int64) (cids []int64, kept bool)
	// Usage returns what an account uses now of the bounds that others count, by their names, and how
	// it is blocked for a while (admin.NotBlocked, …). nil: nobody counts.
	Usage func(cid int64) (used map[string]int64, blocked int)

	// Hash returns a verifier of a password. It takes its time, and may say that too many wait. nil:
	// nobody has passwords.
	Hash        func(password string) (string, error)
	MaxAge      time.Duration // realms.max_age
	MaxSessions int           // realms.max_sessions
	// Claims returns what a token from elsewhere says of its bearer; nil, or nil of the token: nothing.
	Claims func(policy.Digest) realm.Claims

	Ring *Ring // of keys: platform.keys reveal; nil: a key is said once
}

// API serves managed records. It may be used by any number of goroutines.
type API struct {
	o     Options
	store Store
}

// New returns an API.
func New(o Options) *API { return &API{o: o, store: o.Store} }

// Call is one request.
type Call struct {
	Request *policy.Request // of a route that is served: see Managed
	Body    []byte          // nil: none. The data of the query, too
	IfMatch string          // the header; "": none

	Operator bool          // the holder of the admin listener's token
	Token    *policy.Token // of everybody else
	Scope    int64         // the acting account; 0: above all roots, of the operator alone
	Guest    bool          // in a cross-account request: the acting account lets the token operate as it
	Narrowed bool          // the request names the acting account

	Now      time.Time
	Decision string // the id of the decision, for the history
	Source   string // where the request comes from, for the history
}

// Answer is the answer to a call.
type Answer struct {
	Status int
	Body   []byte
	Reason policy.Reason    // for metrics and logs
	ETag   string           // with its quotes; "": none
	Allow  policy.MethodSet // of a 405
	Rev    int64            // of the change that was made; 0: none was
	Denied int              // ids that were asked for and are not seen
	Err    error            // of the store, for the log alone
}

// call is one call that is being judged.
type call struct {
	*Call
	api  *API
	col  *collection
	logs bool // the change records of what is named, not it itself

	w    Writer // nil: it only reads
	law  *admin.Law
	view *world

	fields    record.Fields
	from, cut int64 // offset and limit; cut -1: none
	paged     bool

	realms   []document        // that the path names, of a collection below realms
	password record.Value      // that is asked for; Absent: none
	hashes   map[string]string // verifiers of passwords that run asked for
	missing  []string          // passwords whose verifier is to be made before run can do the call

	rows     []record.Value
	denied   []*record.Fault
	warnings []string
	count    int // of rows before paging
	etag     string
}

// Serve serves one call. The context bounds how long it may take.
func (a *API) Serve(ctx context.Context, c *Call) Answer {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	col, logs := collectionOf(c.Request.Route)
	if col == nil {
		return fail(policy.UnknownRoute, 404, "there is no such resource")
	}
	x := &call{Call: c, api: a, col: col, logs: logs}
	writes := c.Request.Method.Write()
	switch {
	case writes && a.store.File() != "":
		return a.fixed("store.kind is file: edit " + a.store.File() + ", which the gateway reads again within two seconds")
	case x.makesAccounts() && a.o.FixedAccounts != "":
		answer := a.fixed(a.o.FixedAccounts)
		answer.Allow = policy.Methods(policy.GET, policy.PUT, policy.PATCH)
		return answer
	case !writes && !x.shows():
		err := a.store.View(ctx, func(r Reader) error { return x.run(r, nil) })
		return x.answer(store.Head{}, err)
	}
	head, err := x.do(ctx)
	if errors.Is(err, errHashFirst) {
		if err = x.hash(); err == nil {
			head, err = x.do(ctx)
		}
	}
	if errors.Is(err, store.ErrReadOnly) && !writes { // no key is shown where that cannot be written down
		err = a.store.View(ctx, func(r Reader) error { return x.run(r, nil) })
	}
	return x.answer(head, err)
}

// do does the call in a transaction.
func (x *call) do(ctx context.Context) (store.Head, error) {
	return x.api.store.Write(ctx, x.actor(), func(w Writer) error { return x.run(w, w) })
}

// fixed answers what only somebody else can change.
func (a *API) fixed(reason string) Answer {
	answer := fail(policy.RecordsFixed, 405, reason)
	answer.Allow = policy.Methods(policy.GET)
	return answer
}

// makesAccounts reports whether the call makes or deletes accounts.
func (x *call) makesAccounts() bool {
	m := x.Request.Method
	return x.col.table == store.Accounts && x.col.route.Kind != record.Customer && (m == policy.POST || m == policy.DELETE)
}

// actor is who makes the change and how, in the words of the history: the id of a token and its
// account, or operator, and behind it the acting account, the decision and the address, as far as
// they are known.
func (x *call) actor() string {
	text := operator
	if !x.Operator {
		text = strconv.FormatInt(x.Token.ID, 10) + " of=" + strconv.FormatInt(x.Token.CID, 10)
	}
	if x.Scope != 0 && (x.Operator || x.Scope != x.Token.CID) {
		text += " cid=" + strconv.FormatInt(x.Scope, 10)
	}
	if x.shows() {
		text += " shown=key"
	}
	if x.writesPassword() {
		text += " wrote=password"
	}
	if x.Decision != "" {
		text += " decision=" + x.Decision
	}
	if x.Source != "" {
		text += " from=" + x.Source
	}
	return text
}

const operator = "operator"

// run does the call in one transaction. It may be called again, if the transaction is tried again.
func (x *call) run(r Reader, w Writer) error {
	x.w = w
	x.rows, x.denied, x.warnings, x.count, x.etag = nil, nil, nil, 0, ""
	x.realms, x.password, x.missing = nil, record.Value{}, nil
	x.view = &world{r: r, api: x.api, now: x.Now.Unix()}
	x.view.forget()
	x.law = &admin.Law{World: x.view, Settings: x.api.o.Settings, Now: x.Now.Unix()}
	err := x.caller()
	if err == nil {
		err = x.serve()
	}
	switch {
	case x.view.err != nil:
		return x.view.err // whatever was judged rests on what could not be read
	case err == nil && x.missing != nil:
		return errHashFirst
	}
	return err
}

// errNobody says that the caller's token does not live any more.
var errNobody = errors.New("the token is not valid any more")

// caller finds who asks, as the store has it now.
func (x *call) caller() error {
	x.law.Caller = admin.Caller{Operator: x.Operator, Scope: x.Scope, Guest: x.Guest, Narrowed: x.Narrowed}
	session := false
	if x.Operator {
		return faultOf(x.inTree())
	}
	t := x.Token
	x.law.Caller.Token = admin.Token{
		ID: t.ID, CID: t.CID, Access: t.Access, Enabled: t.Enabled, Expire: cmp.Or(t.Expire, t.Deadline), TTL: t.TTL, Created: t.Created,
		Accessed: x.Now.Unix(), Sources: t.Sources, Origins: t.Origins,
	}
	switch {
	case x.api.store.File() == "" && t.ID < store.FirstSession:
		doc := x.view.read(store.Tokens, t.ID)
		now := admin.TokenOf(doc)
		now.Accessed = x.Now.Unix()
		if doc.Shape == record.Absent || now.CID != t.CID || !now.Enabled || !now.Alive(x.Now.Unix()) {
			return errNobody
		}
		session = now.UserID != 0 && now.CreatedBy == 0 && now.Access == policy.NoAPI
		if now.UserID != 0 { // then they are the user's
			now.Sources, now.Origins = t.Sources, t.Origins
		}
		x.law.Caller.Token = now
	default: // a file has no tokens that others made, and in memory there are sessions alone
		x.law.Caller.Token.UserID, session = t.UserID, t.UserID != 0
		if x.api.o.Claims != nil {
			x.law.Caller.Claims = x.api.o.Claims(t.Digest)
		}
	}
	if x.law.Caller.Token.UserID != 0 && !x.law.Session(session) {
		return errNobody
	}
	return faultOf(x.inTree())
}

// inTree judges whether the acting account is one that the caller may act for.
func (x *call) inTree() *record.Fault {
	if x.Scope == 0 && x.Operator {
		return nil
	}
	_, found := x.view.Account(x.Scope)
	if x.law.Caller.Roles != nil && found {
		found = x.Scope == x.law.Caller.Token.CID || x.law.Reaches(x.Scope)
		if !found {
			return record.DeniedRecord("accounts", x.Scope)
		}
		return nil
	}
	if !found || !x.Operator && !x.Guest && !x.law.Within(x.law.Caller.Token.CID, x.Scope) {
		return record.DeniedRecord("accounts", x.Scope)
	}
	return nil
}

// faultOf makes an error of a fault; nil of none.
func faultOf(f *record.Fault) error {
	if f == nil {
		return nil
	}
	return f
}

// serve judges and does the call: blocked, then who may use the route, then the query, the records,
// If-Match, and last the body (SPEC 2, Order of faults).
func (x *call) serve() error {
	m := x.Request.Method
	if fault := x.law.NotBlocked(); fault != nil {
		return fault
	}
	if fault := x.law.MayCall(x.col.route, m, x.logs); fault != nil {
		return fault
	}
	if fault := x.readQuery(); fault != nil {
		return fault
	}
	switch {
	case x.col.serve != nil:
		return x.col.serve(x)
	case x.logs:
		return x.history()
	case m == policy.POST:
		return x.post()
	case m == policy.GET:
		return x.get()
	case m == policy.DELETE:
		return x.remove()
	}
	return x.change()
}
