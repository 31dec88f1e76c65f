package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func settingsSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("settings.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns a YAML text as an editor hands it to a schema.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The schema takes every file that Load takes, and knows every key.
func TestSchemaTakesSoundSettings(t *testing.T) {
	schema := settingsSchema(t)
	for _, text := range []string{
		string(readTestdata(t, "aclgate.full.yaml")), string(readTestdata(t, "other.yaml")), string(Smallest(Start{Upstream: "http://a", TokenFile: "up", Mode: ScopeHeader})),
		"limits: {per_token: {rate: 0, burst: 5}}\nlisten: {max_body_bytes: 1048576}\nscope: {refresh: 0}", "{}",
	} {
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// What an editor should mark, it can.
func TestSchemaRefuses(t *testing.T) {
	schema := settingsSchema(t)
	for _, text := range []string{
		"liste: {}", "listen: {adress: a:1}", "listen: {address: {}}", "listen: {public_health: maybe}", "scope: {mode: id}",
		"listen: {max_body_bytes: 128MB}", "listen: {timeouts: {read: 15}}", "limits: {per_token: {rate: 50/h}}", "listen: {hosts: a}",
		"upstream: {max_connections: -1}", "audit: {allow_sample: 2}", "listen: {address: localhost}", "- a",
	} {
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("%s: no fault", text)
		}
		if _, faults := Parse("f", []byte(text)); faults.Err() == nil {
			t.Errorf("%s: Load takes it, so the schema must", text)
		}
	}
	if !strings.Contains(string(Schema()), `"description": "Where clients connect.`) {
		t.Error("the schema says nothing about what settings mean")
	}
}
