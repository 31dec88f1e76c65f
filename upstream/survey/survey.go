// Package survey asks a backend what it is, before there are settings for it: what it lists, whether
// its rows say whose they are, whether it obeys x-flespi-cid, and which accounts it knows. It asks
// with GET alone, a few dozen times, one after another, and follows no redirect.
package survey

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"aclgate/policy"
)

const (
	askFor     = 10 * time.Second // one answer
	maxAnswer  = 64 << 20         // bytes of it that are read
	maxRows    = 1000             // asked for, of one collection
	maxTries   = 8                // accounts that are tried to see whether the header is obeyed
	cidHeader  = "x-flespi-cid"
	customer   = "/platform/customer?fields=id,name"
	subaccount = "/platform/subaccounts/all?fields=id,name,cid"
)

// Obeys says whether the backend keeps accounts apart by x-flespi-cid.
type Obeys uint8

// The zero Obeys says that nothing was seen that tells.
const (
	NotSeen Obeys = iota
	Yes
	No
)

// Account is an account that the backend knows.
type Account struct {
	ID, Parent int64 // Parent 0: the root
	Name       string
}

// Result is what was seen.
type Result struct {
	Collections []string // those that were listed with at least one row
	Items       int      // rows of them, at most 1000 of each
	Owned       int      // of these, those with a cid
	CIDs        []int64  // of them, ascending
	Obeys       Obeys
	Accounts    []Account // root first; none: the backend has no such routes, or does not show them

	// Above is, of CIDs, the account that each lies right below, as far as the rows tell which the
	// backend shows under it. It is filled where the header is obeyed.
	Above map[int64]int64
}

// ErrUnauthorized says that the backend does not take the key, or wants one.
var ErrUnauthorized = errors.New("the backend answers 401")

// Run asks the backend at origin, such as https://api.example.com, with its key; "" is none. The TLS
// configuration is for https; nil trusts the authorities of the system. The error says why nothing
// could be seen.
func Run(ctx context.Context, origin, key string, cat *policy.Catalogue, trust *tls.Config) (*Result, error) {
	s := surveyor{origin: origin, key: key, result: &Result{}}
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	s.client.Transport = transport
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answered := false
	var last error
	for _, c := range cat.Collections {
		if c.IDs != policy.IDInt || !c.Scoped || c.MasterOnly {
			continue
		}
		rows, err := s.list(ctx, c.URI, 0)
		var status statusError
		switch {
		case err == nil:
			answered = true
			s.note(c.URI, rows)
		case errors.Is(err, ErrUnauthorized):
			return nil, err
		case errors.As(err, &status):
			last = err
		case WantsTLS(ctx, origin):
			return nil, ErrTLS
		case WantsPlain(ctx, origin):
			return nil, ErrPlain
		default:
			return nil, fmt.Errorf("cannot ask the backend: %w", inWords(err))
		}
	}
	if !answered && WantsTLS(ctx, origin) { // some answer 400 in the clear
		return nil, ErrTLS
	}
	if !answered {
		return nil, fmt.Errorf("the backend lists nothing that this gateway knows, so this may be the wrong URL: %w", last)
	}
	s.tryHeader(ctx)
	s.accounts(ctx)
	return s.result, nil
}

// surveyor is one survey.
type surveyor struct {
	client      http.Client
	origin, key string
	result      *Result
	widest      string // the collection with rows of the most accounts
	widestCIDs  []int64
	widestRows  int
}

// row is what is read of one.
type row struct {
	ID   int64  `json:"id"`
	CID  *int64 `json:"cid"`
	Name string `json:"name"`
}

// statusError is an answer that is no list.
type statusError int

func (e statusError) Error() string {
	if e == http.StatusOK {
		return "it answers 200, and something else than a list of this API"
	}
	return "it answers " + strconv.Itoa(int(e))
}

// inWords returns why a request got no answer, without the request itself.
func inWords(err error) error {
	var request *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("it takes the connection and does not answer within %s", askFor)
	case errors.As(err, &request):
		return request.Err
	}
	return err
}

// list returns the rows of a collection, under an account unless cid is 0.
func (s *surveyor) list(ctx context.Context, uri string, cid int64) ([]row, error) {
	return s.ask(ctx, fmt.Sprintf("/%s/all?fields=id,cid&limit=%d&offset=0", uri, maxRows), cid)
}

func (s *surveyor) ask(ctx context.Context, target string, cid int64) ([]row, error) {
	ctx, stop := context.WithTimeout(ctx, askFor)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.origin+target, nil)
	if err != nil {
		return nil, err
	}
	if s.key != "" {
		req.Header.Set("Authorization", "FlespiToken "+s.key)
	}
	if cid != 0 {
		req.Header.Set(cidHeader, strconv.FormatInt(cid, 10))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, ErrUnauthorized
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp.StatusCode)
	}
	var answer struct {
		Result []row `json:"result"`
	}
	if json.Unmarshal(text, &answer) != nil {
		return nil, statusError(http.StatusOK) // no list of this API
	}
	return answer.Result, nil
}

// note counts the rows of a collection.
func (s *surveyor) note(uri string, rows []row) {
	if len(rows) == 0 {
		return
	}
	r := s.result
	r.Collections = append(r.Collections, uri)
	r.Items += len(rows)
	cids := cidsOf(rows)
	for _, row := range rows {
		if row.CID != nil {
			r.Owned++
		}
	}
	r.CIDs = merged(r.CIDs, cids)
	if len(cids) > len(s.widestCIDs) {
		s.widest, s.widestCIDs, s.widestRows = uri, cids, len(rows)
	}
}

func cidsOf(rows []row) (cids []int64) {
	for _, row := range rows {
		if row.CID != nil && *row.CID > 0 {
			cids = append(cids, *row.CID)
		}
	}
	slices.Sort(cids)
	return slices.Compact(cids)
}

func merged(a, b []int64) []int64 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// tryHeader asks for the rows of single accounts. Fewer accounts than without the header show that
// the backend obeys it. All of them under each account that was tried show that it does not: only a
// root has everything below it.
func (s *surveyor) tryHeader(ctx context.Context) {
	if len(s.widestCIDs) < 2 {
		return
	}
	same := 0
	shown := map[int64][]int64{} // accounts of the rows under each that was tried
	for _, cid := range s.widestCIDs[:min(maxTries, len(s.widestCIDs))] {
		rows, err := s.list(ctx, s.widest, cid)
		if err != nil {
			continue
		}
		shown[cid] = cidsOf(rows)
		if len(rows) < s.widestRows || len(shown[cid]) < len(s.widestCIDs) {
			s.result.Obeys = Yes
		} else {
			same++
		}
	}
	switch {
	case s.result.Obeys == Yes:
		s.result.Above = above(shown)
	case same > 1:
		s.result.Obeys = No
	}
}

// above returns the nearest account above each: the one with the fewest accounts that shows its rows.
func above(shown map[int64][]int64) map[int64]int64 {
	up := map[int64]int64{}
	for cid, below := range shown {
		for _, b := range below {
			if near, is := up[b]; b != cid && (!is || len(below) < len(shown[near])) && !slices.Contains(shown[b], cid) {
				up[b] = cid
			}
		}
	}
	return up
}

// accounts reads the tree of the backend, where it has one.
func (s *surveyor) accounts(ctx context.Context) {
	rows, err := s.ask(ctx, subaccount, 0)
	if err != nil {
		return
	}
	root, err := s.root(ctx)
	if err != nil {
		root = topOf(rows)
	}
	if root.ID == 0 {
		return
	}
	s.result.Accounts = append(s.result.Accounts, root)
	for _, r := range rows {
		a := Account{ID: r.ID, Parent: root.ID, Name: r.Name}
		if r.CID != nil && *r.CID > 0 {
			a.Parent = *r.CID
		}
		if a.ID > 0 && a.ID != root.ID {
			s.result.Accounts = append(s.result.Accounts, a)
		}
	}
}

// topOf returns the one account that others lie below and that is not among them: the key's own.
func topOf(rows []row) (root Account) {
	listed := map[int64]bool{}
	for _, r := range rows {
		listed[r.ID] = true
	}
	for _, r := range rows {
		if r.CID == nil || listed[*r.CID] || *r.CID == root.ID {
			continue
		}
		if root.ID != 0 {
			return Account{}
		}
		root.ID = max(0, *r.CID)
	}
	return root
}

// root returns the account of the key itself.
func (s *surveyor) root(ctx context.Context) (Account, error) {
	rows, err := s.ask(ctx, customer, 0)
	if err != nil {
		return Account{}, err
	}
	if len(rows) != 1 || rows[0].ID <= 0 {
		return Account{}, errors.New("the backend does not say whose the key is")
	}
	return Account{ID: rows[0].ID, Name: rows[0].Name}, nil
}

// firstOf returns the beginning of a list for people: "a, b and 3 more".
func firstOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// String says in a sentence what was listed.
func (r *Result) String() string {
	if r.Items == 0 {
		return "the backend lists no items yet"
	}
	have := "have"
	if r.Owned == 1 {
		have = "has"
	}
	return fmt.Sprintf("read %s of %s (%s): %d %s a cid", counted(r.Items, "item"), counted(len(r.Collections), "collection"),
		firstOf(r.Collections, 3), r.Owned, have)
}

// counted returns a number with what it counts, whose plural ends in s.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
