package explain_test

import (
	"math/rand/v2"

	"aclgate/policy"
	"aclgate/policy/explain"
)

// dice makes random ACLs, settings and asks: small pools, so that entries and requests often meet.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 17))} }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) methods() (set policy.MethodSet) {
	for m := policy.GET; m <= policy.DELETE; m++ {
		if d.IntN(2) == 0 {
			set |= policy.Methods(m)
		}
	}
	return set
}

func (d dice) ids() (ids []int64) {
	for id := int64(1); id < 8; id++ {
		if d.IntN(2) == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

func (d dice) entry() policy.Entry {
	e := policy.Entry{
		URI:     pick(d, "gw", "gw/devices", "gw/devices", "gw/groups", "gw/streams", "gw/calcs", "gw/dev", "storage", "storage/containers"),
		Methods: d.methods(), Rule: pick(d, policy.IDsAbsent, policy.IDsAll, policy.IDsList, policy.IDsInGroups),
	}
	if e.Rule == policy.IDsList {
		e.IDs = policy.NewIDSet(d.ids())
	}
	if d.IntN(3) == 0 {
		e.HasSubmodules = true
		for range d.IntN(4) {
			name := pick(d, "messages", "cid", "settings", "devices", "telemetry")
			e.Submodules = append(e.Submodules, policy.Submodule{Name: name, Methods: d.methods()})
		}
	}
	return e
}

func (d dice) entries() (entries []policy.Entry) {
	for range d.IntN(7) {
		entries = append(entries, d.entry())
	}
	return entries
}

func (d dice) engine(w *world) {
	*w.engine = policy.Engine{
		Catalogue: w.engine.Catalogue, MaxIDs: pick(d, 0, 3, 100), Mode: pick(d, policy.ModeHeader, policy.ModeIDs, policy.ModeBoth),
		DenyMatch: d.IntN(4) == 0, StrictLinks: d.IntN(2) == 0, MasterRoutes: d.IntN(4) == 0, ForwardKeys: d.IntN(4) == 0,
		CallersKey: d.IntN(4) == 0, Unenforced: d.IntN(8) == 0,
	}
}

func (d dice) selector() string {
	return pick(d, "all", "1", "7", "1,2,3", "5,9,7", "2,2,4,11", "name=van", "{a==1}", "007", "1,9,7,name=van", "all,cid=11", "2,5,cid=11")
}

func (d dice) target() string {
	s := d.selector
	return pick(d,
		"/gw/devices/"+s(), "/gw/devices/"+s()+"/messages", "/gw/devices/"+s()+"/settings/all", "/gw/devices/"+s()+"/cid",
		"/gw/devices", "/gw/groups/"+s()+"/devices/"+s(), "/gw/streams/"+s()+"/devices/"+s(), "/gw/streams/"+s()+"/groups/"+s(),
		"/gw/calcs/"+s()+"/devices/"+s(), "/gw/calcs/"+s()+"/devices/"+s()+"/intervals/all", "/storage/containers/"+s(),
		"/platform/customer", "/platform/tokens/all", "/auth/info", "/nowhere/all", "/gw/channel-protocols/all",
		"/gw/devices/"+s()+"?fields=id&cid=111", "/gw/devices/"+s()+"?fields=id,telemetry,messages.x", "/gw/groups/"+s()+"/devices/"+s()+"?fields=settings",
		"/gw/devices?fields=telemetry", "/gw/devices/telemetry.x=1", "/gw/devices/"+s()+"?token=x", "/gw/plugins/"+s()+"/devices/"+s())
}

// world makes a random world with its ask; target "" is made as well.
func (d dice) world(w *world, target string) (name string, ask explain.Ask) {
	d.engine(w)
	w.add("random", policy.ACLAccess, 11, d.entries()...)
	name = pick(d, "random", "random", "random", "random", "random", "root", "standard", "noapi", "old", "nobody")
	ask = explain.Ask{Method: pick(d, "GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"), Target: target}
	ask.AskedCID = pick[int64](d, 0, 0, 0, 11, 12, 111, 99)
	if target == "" {
		ask.Target = d.target()
	}
	if d.IntN(2) == 0 {
		owners := map[int64]int64{}
		for id := int64(1); id < 10; id++ {
			owners[id] = pick[int64](d, 1, 11, 12, 111)
		}
		ask.Items = &index{w.tree, owners, d.ids()}
	}
	if d.IntN(2) == 0 {
		ask.Resolved = &policy.Resolved{LookedUp: true, Matches: []policy.ResolvedMatch{{Selector: 0, IDs: d.ids()}}}
	}
	if d.IntN(3) == 0 {
		ask.Body = []policy.Keys{{ID: pick[int64](d, 0, 1, 7), CID: pick[int64](d, 0, 11, 12, 111)}}
	}
	return name, ask
}
