package backend

import (
	"slices"
	"strconv"
	"strings"
)

// submodule answers for what is below items.
func (c *call) submodule() {
	name := c.rest[1]
	methods := c.coll.submodule[name]
	if name == "logs" && len(c.rest) == 2 {
		methods = get
	}
	// Links have their own selector; there is no list of them without one.
	child := c.w.colls[c.segs[0]+"/"+name]
	if !slices.Contains(strings.Fields(methods), c.method) || child != nil && len(c.rest) == 2 {
		c.unknown()
		return
	}
	items, ok := c.pick(c.coll, c.rest[0], everything())
	if !ok {
		return
	}
	switch {
	case child != nil:
		c.links(items, child)
	case len(c.rest) > 2 && (name == "messages" || name == "logs"):
		// …/calculate is known, and has nothing to say.
	default:
		c.below(items, name)
	}
}

// below answers for a submodule that is no link. Those that are not named here exist, but never
// have rows.
func (c *call) below(items []*item, name string) {
	switch name {
	case "cid":
		c.move(items)
	case "messages", "logs":
		c.messages(items)
	case "telemetry", "settings":
		c.values(items, name)
	case "connections":
		for _, it := range items {
			c.out.rows = append(sep(c.out.rows), `{"connections":[],"id":`...)
			c.out.rows = append(strconv.AppendInt(c.out.rows, it.id, 10), '}')
		}
	case "commands":
		c.commands(items)
	case "files", "media":
		if c.method != get && c.method != "DELETE" {
			c.upload()
		}
	}
}

// values answers for telemetry and settings: one element per item, whose member of that name holds
// the parameters that the selector names.
func (c *call) values(items []*item, name string) {
	want := "all"
	if len(c.rest) > 2 {
		want = c.rest[2]
	}
	var objs []map[string]any
	if c.method == "PUT" {
		var err error
		if objs, err = c.objects(); err != nil {
			c.bad(err)
			return
		}
	}
	for _, it := range items {
		if err := c.setValues(it, name, want, objs); err != nil {
			c.bad(err)
			return
		}
		fields := c.coll.items[it.id].values(name)
		c.out.rows = append(sep(c.out.rows), `{"id":`...)
		c.out.rows = strconv.AppendInt(c.out.rows, it.id, 10)
		c.out.rows = append(c.out.rows, `,"`+name+`":`...)
		shown := projection{names: named(fields, want)}
		c.out.rows = append(shown.appendObject(c.out.rows, fields), '}')
	}
}

func (it *item) values(submodule string) []field {
	if submodule == "telemetry" {
		return it.telemetry
	}
	return it.settings
}

// setValues carries out PUT of settings, and DELETE of either.
func (c *call) setValues(it *item, name, want string, objs []map[string]any) error {
	if c.method == get {
		return nil
	}
	return c.coll.update(it, func(def *Item) {
		values := def.Settings
		if name == "telemetry" {
			values = def.Telemetry
		}
		if c.method == "DELETE" {
			for _, gone := range named(it.values(name), want) {
				delete(values, gone)
			}
			return
		}
		for _, obj := range objs {
			for _, setting := range strings.Split(want, ",") {
				values[setting] = obj
			}
		}
	})
}

// named returns the names of fields that a comma list selects, ascending: "position" selects
// position.* too.
func named(fields []field, want string) []string {
	asked := strings.Split(want, ",")
	var out []string
	for _, f := range fields {
		for _, a := range asked {
			if a == "all" || f.name == a || strings.HasPrefix(f.name, a+".") {
				out = append(out, f.name)
				break
			}
		}
	}
	return out
}

// firstCommand is the id of the first command of an answer: the vendor's are microseconds and
// exceed 32 bits.
const firstCommand = 1707402602954333

// commands echoes what was sent, as executed at once.
func (c *call) commands(items []*item) {
	objs, err := c.objects()
	if err != nil {
		c.bad(err)
		return
	}
	id := int64(firstCommand)
	for _, it := range items {
		for i, obj := range objs {
			fields, err := makeFields(Fields{"device_id": it.id, "executed": true, "expires": 0, "id": id,
				"name": obj["name"], "position": i + 1, "properties": obj["properties"], "response": nil,
				"timestamp": id / 1e6})
			if err != nil {
				c.bad(err)
				return
			}
			c.out.rows = c.shown.appendObject(sep(c.out.rows), fields)
			id++
		}
	}
}
