package policy

// Mode says who enforces the account tree (SPEC 4.4).
type Mode uint8

// The modes of scope.mode.
const (
	ModeHeader Mode = iota // the backend, by x-flespi-cid
	ModeIDs                // the gateway, by its index
	ModeBoth
	ModeNone // nobody: there is one account
)

// Header reports whether forwarded requests carry x-flespi-cid.
func (m Mode) Header() bool { return m == ModeHeader || m == ModeBoth }

// Index reports whether the gateway knows the account of every item.
func (m Mode) Index() bool { return m == ModeIDs || m == ModeBoth }

// Unindexed reports whether requests pass whose items no index can know: the backend judges their
// account, or there is nothing to keep apart.
func (m Mode) Unindexed() bool { return m != ModeIDs }

// Owners says where the account of an item comes from, where the gateway enforces the tree alone
// (SPEC 4.4, scope.owners).
type Owners uint8

// The values.
const (
	OwnersBackend Owners = iota // the cid of its rows
	OwnersStore                 // the gateway's own record, which writes that pass through change
	OwnersFile                  // the same, in a policy file that nobody can write
)

// Engine evaluates requests by what the settings say. It is immutable.
//
// An evaluation has four steps: Authenticate, Scope, Decide and JudgeBody. Each returns the reason
// why the request is refused, or NotJudged to go on with the next. Evaluate takes them all in their
// order. Who has something to do between two steps, as the proxy has with limits and look-ups,
// calls them one by one.
type Engine struct {
	Catalogue     *Catalogue
	Query         []string // policy.query: further parameter names
	RefuseUnknown bool     // policy.query_unknown: refuse
	MaxIDs        int      // policy.max_ids, 0: no bound
	MaxWrite      int      // policy.max_write: items of one write by all or a match; 0: no bound
	Mode          Mode     // scope.mode
	Owners        Owners   // scope.owners
	DenyMatch     bool     // scope.match: deny
	StrictLinks   bool     // scope.linked: strict
	MasterRoutes  bool     // policy.unknown_routes: master
	ForwardKeys   bool     // policy.backend_keys: forward
	CallersKey    bool     // upstream.token_file is empty: the caller's own credential goes upstream
	Unenforced    bool     // policy.enforce is false

	// Managed are the routes of records that the gateway itself keeps (SPEC 10): true, it answers them;
	// false, they would tell of another truth, and are not there. nil: the backend has all of them.
	Managed map[*Route]bool
}

// Evaluate evaluates a request that was parsed, in the order of faults of SPEC 2, and writes the
// whole outcome to d. It returns the reason why the request is refused, or NotJudged. In that case
// d.Verdict says whether it passes: after Unresolved the backend has to be asked for what the
// selectors of d name, and Evaluate is called again with in.Resolved. Of a public route neither
// token nor account is asked.
func (e *Engine) Evaluate(d *Decision, in *Input) Reason {
	if r := in.Request.Route; r != nil && r.Public { // whoever asks, and under whatever account
		return e.Decide(d, in)
	}
	d.reset()
	reason := e.Authenticate(in)
	if reason == NotJudged {
		reason = e.Scope(in)
	}
	if reason != NotJudged {
		d.end(Deny, reason)
		return reason
	}
	reason = e.Decide(d, in)
	if reason != NotJudged || d.Verdict == Unresolved {
		return reason
	}
	if reason = e.JudgeBody(d, in); reason != NotJudged {
		d.end(Deny, reason)
	}
	return reason
}

// Authenticate judges whether the token may be used at all, then and from there (SPEC 3). A nil
// token is a key that no token has.
func (e *Engine) Authenticate(in *Input) Reason {
	t := in.Token
	if t == nil {
		return TokenUnknown
	}
	if reason := t.Valid(in.At, in.Source, in.Origin); reason != NotJudged {
		return reason
	}
	if t.Access == NoAPI {
		return TokenNoAPI
	}
	return NotJudged
}

// Scope finds the branch that the request may touch: that of the token's own account, or that of
// in.AskedCID if it is in there; and what was granted beside it (SPEC 11). Any other account is
// ForeignAccount, whether it exists or not, unless it has granted something to the token's account
// (SPEC 4.4). Where nothing keeps accounts apart there is one, or nobody is let in.
func (e *Engine) Scope(in *Input) Reason {
	if in.paths.grants != nil || in.paths.roles || in.paths.role != nil {
		in.paths = accessPaths{}
	}
	if e.Mode == ModeNone && len(in.Tree.Accounts()) > 1 {
		in.Scope = 0
		return ManyAccounts
	}
	if in.Token.IsUser {
		return e.roleScope(in)
	}
	in.Scope = in.Token.CID
	if in.AskedCID != 0 {
		in.Scope = in.AskedCID
	}
	if !in.Tree.Contains(in.Token.CID, in.Scope) {
		return e.crossAccount(in)
	}
	if in.Grants != nil {
		e.findPaths(in)
	}
	return NotJudged
}
