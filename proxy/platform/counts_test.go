package platform_test

import (
	"context"
	"strings"
	"testing"

	"aclgate/policy/store"
	"aclgate/proxy/platform"
)

// counting counts how often tokens are counted, and how often their rows are read.
type counting struct {
	platform.Database
	counted, read int
}

type countingWriter struct {
	platform.Writer
	c *counting
}

func (c *counting) Write(ctx context.Context, actor string, change func(platform.Writer) error) (store.Head, error) {
	return c.Database.Write(ctx, actor, func(w platform.Writer) error { return change(countingWriter{w, c}) })
}

func (w countingWriter) CountTokens(accounts []int64) (int64, error) {
	w.c.counted++
	return w.Writer.CountTokens(accounts)
}

func (w countingWriter) EachOf(t store.Table, account int64, yield func(store.Row) error) error {
	if t == store.Tokens {
		w.c.read++
	}
	return w.Writer.EachOf(t, account, yield)
}

// A call that makes many records counts each branch once, without reading its rows, and the count stays exact: of one too many, none
// is made.
func TestOneCountForACall(t *testing.T) {
	var c *counting
	text := strings.Replace(siteFile, "tokens_count: 6", "tokens_count: 53", 1)
	s := newSite(t, text, func(o *platform.Options) {
		c = &counting{Database: o.Store.(platform.Database)}
		o.Store = c
	})
	token := `{"access":{"type":0},"ttl":60}`
	many := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(token+",", n), ",") + "]" }
	if status, body := s.call("17", "POST", "/platform/tokens?fields=id", many(51)); status != 403 || !strings.Contains(body, "limit tokens_count of account 11 is reached (53)") {
		t.Errorf("one too many: got %d %s", status, body)
	}
	c.counted = 0
	if status, body := s.call("17", "POST", "/platform/tokens?fields=id", many(49)); status != 200 {
		t.Errorf("got %d %s", status, body)
	}
	if c.counted != 1 || c.read != 0 {
		t.Errorf("tokens were counted %d times, and their rows read %d times, want once and never", c.counted, c.read)
	}
	s.want(rows{
		{"17", "GET", "/platform/customer?fields=counters.tokens_count", "", 200, `{"result":[{"counters":{"tokens_count":52}}]}`},
		{"17 for 111", "POST", "/platform/tokens?fields=cid", token, 200, `…"cid":111`},
		{"17 for 111", "POST", "/platform/tokens", token, 403, `…limit tokens_count of an account above is reached`},
	})
}
