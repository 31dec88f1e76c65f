package store

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func policySchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns a YAML text as an editor hands it to a schema; ok is false for a text that no
// editor could.
func asJSON(text string) (doc any, ok bool) {
	var v any
	if yaml.Unmarshal([]byte(text), &v) != nil || v == nil {
		return nil, false
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	return doc, err == nil
}

// The schema takes what the reader takes.
func TestSchemaTakesSoundPolicies(t *testing.T) {
	schema := policySchema(t)
	taken := 0
	for _, text := range append(agreeing(), jsonTexts()...) {
		text = strings.ReplaceAll(text, digestOf(7), digestOne) // digits alone are a number to an editor
		_, faults := ReadPolicy("p.yaml", []byte(text), nil, 4)
		doc, ok := asJSON(text)
		if faults.Err() != nil || !ok {
			continue
		}
		taken++
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
	if taken < 20 {
		t.Errorf("only %d policies were tried", taken)
	}
}

// What an editor should mark, it can, and the reader refuses it too.
func TestSchemaRefuses(t *testing.T) {
	schema := policySchema(t)
	const token = "tokens: [{id: 1, key_sha256: " + digestOne + ", cid: 1, expire: 4102444800, access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}}]"
	sound := "accounts: [{id: 1}]\n" + token
	if _, faults := ReadPolicy("p.yaml", []byte(sound), nil, 4); faults.Err() != nil {
		t.Fatal(faults)
	}
	for _, change := range [][2]string{
		{"tokens:", "token:"}, {"id: 1}]\n", "id: -1}]\n"}, {"cid: 1, ", ""}, {"cid:", "Cid:"}, {"methods: [GET]", "methods: [get]"}, {"methods:", "method:"},
		{"type: acl", "type: admin"}, {"uri: gw/devices, ", ""}, {"methods: [GET]", "ids: none"}, {"methods: [GET]", "ids: [-1]"}, {digestOne, "abc"},
		{"expire: 4102444800", "expire: tomorrow"}, {"methods: [GET]", "submodules: [{methods: [GET]}]"}, {"methods: [GET]", "submodules: [messages]"},
		{"access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}", "access: acl"},
	} {
		text := strings.Replace(sound, change[0], change[1], 1)
		doc, ok := asJSON(text)
		_, faults := ReadPolicy("p.yaml", []byte(text), nil, 4)
		if !ok || text == sound || faults.Err() == nil || schema.Validate(doc) == nil {
			t.Errorf("%v: an editor marks nothing, or the reader takes it: %v", change, faults)
		}
	}
}

// Every key is described once, and every mapping has its keys from the table.
func TestReference(t *testing.T) {
	var paths []string
	for _, f := range Reference() {
		if f.Doc == "" || f.Type == "" || f.Required == (f.Default != "") && f.Type != typeAny && f.Path != "tokens[].key" {
			t.Errorf("%s has no description, type or default: %+v", f.Path, f)
		}
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	if n := len(slices.Compact(slices.Clone(paths))); n != len(paths) {
		t.Error("a key is described twice")
	}
}
