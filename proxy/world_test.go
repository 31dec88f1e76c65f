package proxy

import (
	"encoding/json"
	"io"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// worldItem is an item of the world of the raw cases.
type worldItem struct {
	name string
	cid  int64
}

// worldParents are the accounts of that world: 400 → 500 → 501, 600 below 400, 777 apart.
var worldParents = map[int64]int64{400: 0, 500: 400, 501: 500, 600: 400, 777: 0}

var worldItems = map[string]map[int64]worldItem{
	"gw/devices": {
		101: {"truck-1", 500}, 102: {"truck-2", 500}, 103: {"car-1", 500}, 201: {"truck-9", 501},
		601: {"truck-6", 600}, 999: {"truck-x", 777},
	},
	"gw/groups":   {12: {"own", 500}, 66: {"other", 600}},
	"gw/calcs":    {21: {"trips", 500}},
	"gw/channels": {7: {"in", 500}},
}

var worldGroups = map[int64][]int64{12: {101, 102}, 66: {601}}

func inBranch(cid, top int64) bool {
	for ; cid != 0; cid = worldParents[cid] {
		if cid == top {
			return true
		}
	}
	return false
}

// startWorld starts a recording backend that answers like the API as far as listing and resolving
// go.
func startWorld(t testing.TB) *wireBackend {
	return startWire(t, func(c net.Conn, r *wireRequest) {
		text, _ := json.Marshal(map[string]any{"result": worldRows(r)})
		io.WriteString(c, plain(string(text)))
	})
}

func worldRows(r *wireRequest) []map[string]any {
	rows := []map[string]any{}
	u, err := url.ParseRequestURI(r.target())
	if err != nil {
		return rows
	}
	segments := strings.Split(u.Path, "/")[1:]
	if len(segments) < 2 {
		return rows
	}
	switch {
	case len(segments) != 5 || segments[1] != "groups":
	case segments[3] != "devices":
		return rows // no group has other members
	default:
		return worldMembers(worldSeen("gw/groups", r.all("x-flespi-cid")), segments[2])
	}
	items := worldSeen(strings.Join(segments[:2], "/"), r.all("x-flespi-cid"))
	selector := ""
	if len(segments) > 2 {
		selector = segments[2]
	}
	for _, id := range slices.Sorted(worldSelected(items, selector)) {
		rows = append(rows, map[string]any{"id": id, "name": items[id].name, "cid": items[id].cid})
	}
	return rows
}

// worldMembers are rows of the link between groups and devices.
func worldMembers(groups map[int64]worldItem, selector string) []map[string]any {
	rows := []map[string]any{}
	for _, group := range slices.Sorted(worldSelected(groups, selector)) {
		for _, device := range worldGroups[group] {
			rows = append(rows, map[string]any{"group_id": group, "device_id": device})
		}
	}
	return rows
}

// worldSeen returns the items of a collection that the account sees.
func worldSeen(collection string, cids []string) map[int64]worldItem {
	seen := map[int64]worldItem{}
	for id, item := range worldItems[collection] {
		if len(cids) == 0 {
			seen[id] = item
			continue
		}
		if top, err := strconv.ParseInt(cids[0], 10, 64); err == nil && inBranch(item.cid, top) {
			seen[id] = item
		}
	}
	return seen
}

// worldSelected iterates over the ids that a selector names.
func worldSelected(items map[int64]worldItem, selector string) func(func(int64) bool) {
	field, value, match := strings.Cut(selector, "=")
	return func(yield func(int64) bool) {
		for id, item := range items {
			named := selector == "all" || strings.HasPrefix(selector, "{") ||
				slices.Contains(strings.Split(selector, ","), strconv.FormatInt(id, 10)) ||
				match && worldMatches(id, item, field, value)
			if named && !yield(id) {
				return
			}
		}
	}
}

func worldMatches(id int64, item worldItem, field, value string) bool {
	value = strings.TrimPrefix(value, "=")
	text := ""
	switch field {
	case "name":
		text = item.name
	case "id":
		text = strconv.FormatInt(id, 10)
	case "cid":
		text = strconv.FormatInt(item.cid, 10)
	case "groups":
		group, _ := strconv.ParseInt(value, 10, 64)
		return slices.Contains(worldGroups[group], id)
	default:
		return false
	}
	ok, _ := path.Match(value, text)
	return ok
}
