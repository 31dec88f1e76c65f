package proxy

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// testResolver resolves matches the plain way: one request per match, under the
// same scope, read with encoding/json.
type testResolver struct{ backend Backend }

func (r testResolver) Resolve(c *policy.Case, d *policy.Decision, f *policy.Facts) error {
	f.LookedUp = true
	for i := range d.Parts {
		if !d.Parts[i].Match {
			continue
		}
		ids, err := r.ids(c, &c.Request.Selectors[i])
		if err != nil {
			return err
		}
		f.Matches = append(f.Matches, policy.MatchFact{Selector: i, IDs: ids})
	}
	return nil
}

func (r testResolver) ids(c *policy.Case, s *policy.Selector) ([]int64, error) {
	target := "/" + s.Collection.URI + "/" + url.PathEscape(string(s.Text)) + "?fields=id&limit=1000&offset=0"
	out := upstream.Request{
		Method: "GET", Target: []byte(target), Repeatable: true,
		Head: []byte("Authorization: FlespiToken " + upstreamKey + "\r\nx-flespi-cid: " +
			strconv.FormatInt(c.Scope.CID, 10) + "\r\n"),
	}
	var ans upstream.Answer
	defer ans.Close()
	if err := r.backend.Do(&out, &ans); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(&ans)
	if err != nil {
		return nil, err
	}
	var listing struct{ Result []struct{ ID int64 } }
	if err := json.Unmarshal(text, &listing); err != nil {
		return nil, policy.UpstreamBroken
	}
	ids := make([]int64, 0, len(listing.Result))
	for _, row := range listing.Result {
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids, nil
}

// withResolver gives the gateway a resolver on its own transport.
func withResolver(o *Options, _ *policy.Law, _ *head.Config) { o.Resolver = testResolver{o.Backend} }
