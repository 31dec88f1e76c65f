package store

import (
	"context"
	"encoding/json"
)

// endsWithin reports whether a token ends by itself between now and the unix second until. One that
// a ttl keeps alive does not.
func endsWithin(expire, ttl, now, until int64) bool {
	return ttl == 0 && expire > now && expire <= until
}

// Ending returns how many tokens end from now until then, in unix seconds. It reads all of them.
func (f *File) Ending(_ context.Context, now, until int64) (n int, err error) {
	for _, rec := range f.current.Load().policy.Records() {
		if endsWithin(rec.Token.Expire, rec.Token.TTL, now, until) {
			n++
		}
	}
	return n, nil
}

// Ending is [File.Ending] of a database, which it asks: those in memory are needed by requests.
func (l *Live) Ending(ctx context.Context, now, until int64) (n int, err error) {
	err = l.o.Engine.View(ctx, func(r Reader) error {
		return r.Each(Tokens, func(row Row) error {
			var t struct{ Expire, TTL int64 }
			if json.Unmarshal(row.Doc, &t) == nil && endsWithin(t.Expire, t.TTL, now, until) {
				n++
			}
			return nil
		})
	})
	return n, err
}
