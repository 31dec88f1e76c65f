package proxy

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/valyala/fasthttp"

	"aclgate/policy"
)

// mover moves items between accounts where the backend knows none: it answers PUT …/cid itself (SPEC
// 4.4, scope.owners: store).
type mover struct {
	owners Owners
	heads  *headPrinter
	log    *slog.Logger
}

// concerns reports whether the request is one that the mover answers.
func (m *mover) concerns(req *policy.Request) bool {
	return m.owners != nil && req.Route != nil && req.Route.Moves() && req.Route.Owned() && req.Method == policy.PUT
}

// move gives the items that the request may touch to the account that its body names. Where one of
// them is somebody else's by now, none moves, and resp says that the request has to be judged again.
func (m *mover) move(c *call, ev *evaluation, b *requestBody, resp *response) policy.Reason {
	col, p := ev.in.Request.Route.Collection, &ev.dec.Selectors[0]
	if b.targetCID <= 0 {
		return c.refuse(policy.BadBody, textMove)
	}
	from := make([]int64, len(p.IDs))
	for i, id := range p.IDs {
		from[i], _ = ev.in.Items.Account(col, id)
	}
	done, err := m.owners.Moved(context.Background(), actor(ev.in.Token), col, p.IDs, from, b.targetCID)
	switch {
	case err != nil:
		m.log.Error("cannot move items to another account", "decision", c.id(), "collection", col.URI, "error", err)
		return policy.OwnerUnrecorded
	case !done:
		resp.withdrawn = true
		return policy.NotJudged
	}
	m.answer(c, ev, b.targetCID, resp)
	return policy.OwnAnswer
}

// answer says what has moved, in flespi's shape, beside one error for each denied item.
func (m *mover) answer(c *call, ev *evaluation, cid int64, resp *response) {
	text := append(resp.body[:0], '{')
	if c.rec.Denied > 0 {
		text = append(appendDenied(append(text, `"errors":[`...), ev), "],"...)
	}
	text = append(text, `"result":[`...)
	for i, id := range ev.dec.Selectors[0].IDs {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(append(text, `{"cid":`...), cid, 10)
		text = append(strconv.AppendInt(append(text, `,"id":`...), id, 10), '}')
	}
	resp.body = append(text, `]}`...)
	m.heads.reply(c, resp, fasthttp.StatusOK, resp.body)
}
