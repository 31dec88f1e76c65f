package backend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fields are the properties of an item by name: anything that encoding/json accepts. id and cid are
// not among them.
type Fields map[string]any

// item is one object of a collection. It never changes: an update puts a new item in its place, so
// a reader needs the lock only to find it.
type item struct {
	id, cid   int64
	fields    []field // ascending by name, id and cid among them
	row       []byte  // the default fields as JSON
	bare      []byte  // the same without cid
	telemetry []field
	settings  []field
}

type field struct {
	name   string
	json   []byte
	val    any
	hidden bool // shown only to who asks for it
}

// newItem renders an item once, so that answering for it is copying. A nil defaults means every
// field.
func newItem(it Item, defaults []string) (*item, error) {
	all := maps.Clone(it.Fields)
	if all == nil {
		all = Fields{}
	}
	all["id"], all["cid"] = it.ID, it.CID
	for name, below := range submodules(&it) {
		all[name] = map[string]any(below)
	}
	fields, err := makeFields(all)
	if err != nil {
		return nil, err
	}
	for i := range fields {
		_, fields[i].hidden = submodules(&it)[fields[i].name]
	}
	out := &item{id: it.ID, cid: it.CID, fields: fields}
	if out.telemetry, err = makeFields(it.Telemetry); err != nil {
		return nil, err
	}
	if out.settings, err = makeFields(it.Settings); err != nil {
		return nil, err
	}
	want := projection{all: defaults == nil, names: defaults}
	out.row = want.appendObject(nil, fields)
	want.noCID = true
	out.bare = want.appendObject(nil, fields)
	return out, nil
}

// submodules are what the vendor also gives as fields of the item, to who asks for them by name, by
// "*" or by a match.
func submodules(it *Item) map[string]Fields {
	below := map[string]Fields{}
	if len(it.Telemetry) > 0 {
		below["telemetry"] = it.Telemetry
	}
	if len(it.Settings) > 0 {
		below["settings"] = it.Settings
	}
	return below
}

// with returns the item again after changes to its definition.
func (it *item) with(change func(*Item), defaults []string) (*item, error) {
	def := Item{ID: it.id, CID: it.cid, Fields: toMap(it.fields), Telemetry: toMap(it.telemetry), Settings: toMap(it.settings)}
	for _, name := range []string{"id", "cid", "telemetry", "settings"} {
		delete(def.Fields, name)
	}
	change(&def)
	return newItem(def, defaults)
}

// value finds a field for a match: by its whole name, or by the way through nested objects.
// What telemetry has of a parameter is beside the time of it.
func (it *item) value(name string) any {
	found := lookup(it.fields, name)
	if measured, ok := found.(map[string]any); ok && strings.HasPrefix(name, "telemetry.") {
		return measured["value"]
	}
	return found
}

func lookup(fields []field, name string) any {
	if i, ok := find(fields, name); ok {
		return fields[i].val
	}
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil
	}
	i, ok := find(fields, head)
	if !ok {
		return nil
	}
	return dig(fields[i].val, rest)
}

func dig(v any, path string) any {
	for {
		obj, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		if leaf, ok := obj[path]; ok {
			return leaf
		}
		head, rest, dotted := strings.Cut(path, ".")
		if !dotted {
			return nil
		}
		v, path = obj[head], rest
	}
}

func find(fields []field, name string) (int, bool) {
	return slices.BinarySearchFunc(fields, name, func(f field, name string) int {
		return strings.Compare(f.name, name)
	})
}

func toMap(fields []field) Fields {
	out := make(Fields, len(fields))
	for _, f := range fields {
		out[f.name] = f.val
	}
	return out
}

// makeFields encodes every value canonically: compact, keys sorted.
func makeFields(in Fields) ([]field, error) {
	out := make([]field, 0, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		raw, err := encode(in[name])
		if err != nil {
			return nil, fmt.Errorf("cannot encode field %q: %w", name, err)
		}
		val, err := decode(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, field{name: name, json: raw, val: val})
	}
	return out, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the vendor escapes neither < nor &
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads one JSON value; whole numbers become int64, because ids above 2^53 do not fit a
// float.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("cannot read JSON: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("cannot read JSON: bytes after the value")
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// projection is which fields of an object are shown.
type projection struct {
	all   bool
	names []string // ascending, unique; dotted ones go into nested objects
	masks []string // names with "*" or capitals, in small letters: there are backends that take these
	noCID bool
}

// parseFields reads fields=; unknown names select nothing.
func parseFields(s string) projection {
	if s == "" {
		return projection{all: true}
	}
	names := strings.Split(s, ",")
	var masks []string
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if small := strings.ToLower(names[i]); small != names[i] || strings.Contains(small, "*") {
			masks = append(masks, small)
		}
	}
	slices.Sort(names)
	return projection{names: slices.Compact(names), masks: masks}
}

// has reports whether the top-level field of that name is shown whole.
func (p *projection) has(name string) bool {
	if p.noCID && name == "cid" {
		return false
	}
	if p.all {
		return true
	}
	_, ok := slices.BinarySearch(p.names, name)
	return ok || slices.ContainsFunc(p.masks, func(mask string) bool { return glob(mask, strings.ToLower(name)) })
}

// under returns the projection of what is below name.
func (p *projection) under(name string) projection {
	var out projection
	for _, n := range p.names {
		if rest, ok := strings.CutPrefix(n, name+"."); ok {
			out.names = append(out.names, rest)
		}
	}
	return out
}

// appendObject prints the shown ones of fields, in their order.
func (p *projection) appendObject(dst []byte, fields []field) []byte {
	dst = append(dst, '{')
	empty := true
	for i := range fields {
		f := &fields[i]
		raw := f.json
		if p.all && f.hidden {
			continue
		}
		if !p.has(f.name) {
			if raw = p.part(f); raw == nil {
				continue
			}
		}
		if !empty {
			dst = append(dst, ',')
		}
		empty = false
		dst = appendString(dst, f.name)
		dst = append(dst, ':')
		dst = append(dst, raw...)
	}
	return append(dst, '}')
}

// part prints what dotted names select inside a field; nil when nothing.
func (p *projection) part(f *field) []byte {
	obj, ok := f.val.(map[string]any)
	if !ok {
		return nil
	}
	below := p.under(f.name)
	if below.names == nil {
		return nil
	}
	fields, err := makeFields(obj)
	if err != nil {
		return nil
	}
	return below.appendObject(nil, fields)
}

// appendString prints a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			raw, _ := encode(s) // a string always encodes
			return append(dst, raw...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
