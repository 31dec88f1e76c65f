package admin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

var update = flag.Bool("update", false, "write docs/api.md and docs/openapi.json")

const (
	pageFile    = "../../docs/api.md"
	openapiFile = "../../docs/openapi.json"
)

// isPage compares a page with what the tables say, or writes it.
func isPage(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != text {
		t.Errorf("%s is not what the tables say: run go test ./policy/admin -run TestPage -update", file)
	}
}

const pageHead = `# The administration API

Made by ` + "`go test ./policy/admin -run TestPage -update`" + ` from the tables in ` + "`policy/admin/route.go`, `policy/record/kinds.go` and `policy/record/bound.go`" + `.
[openapi.json](openapi.json) says the same for programs; [the contract](spec.md), sections 9 to 12, says what holds.

A selector is ` + "`all`" + `, ids with commas between, ` + "`field=value`" + ` with ` + "`*` and `?`" + `, or one of the first two with conditions behind it. ` + "`fields`" + ` names what rows hold; without
it, the default set. ` + "`limit` and `offset`" + ` page through the rows, which ascend by id. ` + "`x-flespi-cid`" + ` names the acting account.

## Routes

` + "Both listeners serve them; the admin listener serves `/realm/{public_id}/info` and `/realm/{public_id}/login` to the operator too." + `

A master may call them in its scope, the operator on the admin listener above all roots, and users as ` + "`platform`" + ` of their [roles](roles.md) says. Other tokens may not. A guest came by the level ` + "`operate-as`" + ` of a grant.

| path | methods | guest | rows |
|---|---|---|---|
`

// TestPageOfAPI: docs/api.md is made from the tables.
func TestPageOfAPI(t *testing.T) {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, r := range admin.Routes() {
		for _, p := range []struct {
			suffix  string
			methods policy.MethodSet
		}{{"", r.Whole}, {"/{selector}", r.One}} {
			if p.methods != 0 {
				fmt.Fprintf(&b, "| `/%s%s` | %s | %s | [%s](#%s) |\n", r.Path, p.suffix, p.methods, guestMethods(p.methods&r.Guest), r.Kind.Word, anchor(r.Kind))
			}
		}
	}
	b.WriteString("\n## Faults\n\n| fault | status | code |\n|---|---|---|\n")
	for _, c := range record.Classes() {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", c, c.Answer().Status, c.Answer().Code)
	}
	for _, k := range served() {
		fmt.Fprintf(&b, "\n## %s\n\n`/%s`. %s\n\n| field | type | in rows | POST | PUT, PATCH | meaning |\n|---|---|---|---|---|---|\n", k.Path, k.Path, k.Says)
		for i := range k.Fields {
			f := &k.Fields[i]
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", f.Name, f.Type, inRows(f), atPost(f), yes(f.Write == record.Always), f.Says)
		}
	}
	isPage(t, pageFile, b.String())
}

func anchor(k *record.Kind) string {
	return strings.NewReplacer("/", "", "{", "", "}", "").Replace(k.Path)
}

func guestMethods(set policy.MethodSet) string {
	if set == 0 {
		return "–"
	}
	return set.String()
}

// served returns the kinds of the routes, each once.
func served() []*record.Kind {
	var all []*record.Kind
	for _, r := range admin.Routes() {
		all = append(all, r.Kind)
	}
	return all
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "–"
}

func inRows(f *record.Field) string {
	switch {
	case !f.Readable():
		return "never"
	case f.Has(record.Default):
		return "default"
	}
	return "if named"
}

func atPost(f *record.Field) string {
	if f.Has(record.Needed) {
		return "needed"
	}
	return yes(f.Write != record.Never)
}

type object = map[string]any

// schemas are the types as JSON Schema has them.
var schemas = map[record.Type]object{
	record.ID:         {"type": "integer", "minimum": 1},
	record.OptionalID: {"type": []string{"integer", "null"}, "minimum": 1},
	record.Name:       {"type": "string", "minLength": 1, "maxLength": 256},
	record.Line:       {"type": "string", "maxLength": 256},
	record.Enabled:    {"type": "boolean"},
	record.Time:       {"type": "integer", "minimum": 0, "maximum": 253402300799},
	record.Seconds:    {"type": "integer", "minimum": 0},
	record.Metadata:   {"type": "object"},
	record.Texts:      {"type": "array", "maxItems": 64, "items": object{"type": "string"}},
	record.Bound:      {"type": "integer", "minimum": -1},
	record.State:      {"type": "integer", "enum": []int{0, 1, 2}},
	record.Numbers:    {"type": "object", "additionalProperties": object{"type": "integer"}},
	record.Key:        {"type": []string{"string", "null"}},
	record.IPs:        {"type": []string{"string", "array"}, "items": object{"type": "string"}},
	record.Origins:    {"type": []string{"string", "array"}, "items": object{"type": "string"}},
	record.Entries:    {"type": "array", "items": object{"$ref": "#/components/schemas/Entry"}},
	record.GrantAccess: {"type": "array", "minItems": 1, "items": object{"type": "object", "required": []string{"uri", "levels"}, "additionalProperties": false, "properties": object{
		"uri":    object{"type": "string", "description": "a collection of items, or account"},
		"ids":    object{"oneOf": []object{{"type": "array", "items": object{"type": "integer", "minimum": 1}}, {"const": "all"}}},
		"levels": object{"type": "array", "minItems": 1, "items": object{"type": "string"}, "description": "view, edit, delete, command; of an account view, operate-as, create-devices and similar"},
	}}},
	record.Home: {"type": "object", "required": []string{"type"}, "additionalProperties": false, "properties": object{
		"type":          object{"type": "integer", "enum": []int{0, 1, 2}, "description": "0 the realm's account, 1 one account, 2 an account for each"},
		"subaccount_id": object{"type": "integer", "minimum": 1}, "limit_id": object{"type": "integer", "minimum": 1},
	}},
	record.TokenParams: {"type": "object", "additionalProperties": false, "properties": object{
		"access": object{"type": "object"}, "ttl": object{"type": "integer", "minimum": 0},
		"ips": object{"type": []string{"string", "array"}}, "origins": object{"type": []string{"string", "array"}},
	}},
	record.Registration: {"type": "string", "enum": []string{"immediate", "first-sight"}},
	record.Password:     {"type": "string", "minLength": 12, "maxLength": 1024},
	record.Reach:        {"type": "string", "enum": []string{"own", "branch", "clients", "tree"}},
	record.PlatformRights: {"type": "array", "items": object{"type": "object", "required": []string{"uri", "methods"}, "additionalProperties": false, "properties": object{
		"uri": object{"enum": realm.PlatformWords()}, "methods": methodNames,
	}}},
	record.Claims: record.ClaimsSchema(),
	record.Access: {"type": "object", "required": []string{"type"}, "additionalProperties": false, "properties": object{
		"type": object{"type": "integer", "enum": []int{0, 1, 2, 3}, "description": "0 standard, 1 master, 2 acl, 3 noapi"},
		"acl":  object{"type": "array", "items": object{"$ref": "#/components/schemas/Entry"}},
	}},
}

var methodNames = object{"type": "array", "items": object{"enum": []string{"GET", "POST", "PUT", "PATCH", "DELETE"}}}

var entry = object{"type": "object", "required": []string{"uri"}, "additionalProperties": false, "properties": object{
	"uri": object{"type": "string"}, "methods": methodNames,
	"ids":        object{"oneOf": []object{{"type": "array", "items": object{"type": "integer", "minimum": 1}}, {"enum": []string{"all", "in-groups"}}}},
	"submodules": object{"type": "array", "items": object{"type": "object", "properties": object{"name": object{"type": "string"}, "methods": methodNames}}},
	"topic":      object{"type": "string"}, "actions": object{"type": "array", "items": object{"enum": []string{"publish", "subscribe"}}},
}}

var failure = object{"type": "object", "required": []string{"errors"}, "properties": object{
	"errors": object{"type": "array", "items": object{"type": "object", "required": []string{"code", "reason"}, "properties": object{
		"code": object{"type": "integer"}, "reason": object{"type": "string"}, "id": object{"type": "integer"},
		"schema_hint": object{"type": "array", "items": object{"type": "string"}},
	}}},
	"result": object{"type": "array"},
}}

// schemaOf returns the schema of a kind with the fields that keep says.
func schemaOf(t *testing.T, k *record.Kind, needed bool, keep func(*record.Field) bool) object {
	t.Helper()
	fields, required := object{}, []string{}
	for i := range k.Fields {
		f := &k.Fields[i]
		if !keep(f) {
			continue
		}
		schema := object{"description": f.Says}
		if schemas[f.Type] == nil {
			t.Fatalf("%s.%s has a type without a schema", k.Path, f.Name)
		}
		for key, v := range schemas[f.Type] {
			schema[key] = v
		}
		fields[f.Name] = schema
		if needed && f.Has(record.Needed) && k != record.LegacyTokens {
			required = append(required, f.Name)
		}
	}
	s := object{"type": "object", "properties": fields, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func schemaName(k *record.Kind, prefix string) string {
	name := strings.ToUpper(k.Word[:1]) + k.Word[1:]
	switch k {
	case record.LegacyTokens:
		name = "Legacy" + name
	case record.Logins, record.Logouts, record.Passwords:
		name += k.Path[strings.LastIndexByte(k.Path, '/')+1:]
	}
	return prefix + name
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

func jsonBody(schema object) object { return object{"application/json": object{"schema": schema}} }

// parents are the names of what the path of a route has before its own selector.
func parents(r *admin.Route) []string {
	switch n := strings.Count(r.Path, "{}"); {
	case r.Kind == record.GrantLinks:
		return []string{"grant"}
	default:
		return []string{"realm", "user"}[:n]
	}
}

// bodiless reports whether the path of a POST says all, so that there is no body.
func bodiless(k *record.Kind) bool { return k == record.Logins || k == record.Logouts }

// operation describes one method of a route.
func operation(r *admin.Route, m policy.Method, one bool) object {
	k := r.Kind
	rows := object{"type": "object", "required": []string{"result"}, "properties": object{
		"result": object{"type": "array", "items": ref("schemas", schemaName(k, "Row"))},
	}}
	op := object{
		"operationId": strings.ToLower(m.String()) + schemaName(k, ""),
		"summary":     k.Says,
		"responses": object{
			"200": object{"description": "what was asked for, or changed", "content": jsonBody(rows)},
			"4XX": object{"description": "a fault", "content": jsonBody(ref("schemas", "Failure"))},
		},
	}
	parameters := []object{ref("parameters", "cid"), ref("parameters", "fields")}
	if one {
		parameters = append(parameters, ref("parameters", "selector"))
	}
	if m == policy.GET {
		parameters = append(parameters, ref("parameters", "limit"), ref("parameters", "offset"))
	}
	for _, name := range parents(r) {
		parameters = append(parameters, ref("parameters", name))
	}
	op["parameters"] = parameters
	switch m {
	case policy.POST:
		if one || bodiless(k) {
			break // the path says it all
		}
		made := ref("schemas", schemaName(k, "New"))
		op["requestBody"] = object{"required": true, "content": jsonBody(object{"oneOf": []object{made, {"type": "array", "minItems": 1, "maxItems": 1000, "items": made}}})}
	case policy.PUT, policy.PATCH:
		op["requestBody"] = object{"required": true, "content": jsonBody(ref("schemas", schemaName(k, "Change")))}
	}
	return op
}

// openapi returns the whole document.
func openapi(t *testing.T) object {
	paths, defs := object{}, object{"Entry": entry, "Failure": failure}
	for _, r := range admin.Routes() {
		defs[schemaName(r.Kind, "Row")] = schemaOf(t, r.Kind, false, (*record.Field).Readable)
		defs[schemaName(r.Kind, "Change")] = schemaOf(t, r.Kind, false, func(f *record.Field) bool { return f.Write == record.Always })
		if r.Whole.Has(policy.POST) && !bodiless(r.Kind) {
			defs[schemaName(r.Kind, "New")] = schemaOf(t, r.Kind, true, func(f *record.Field) bool { return f.Write != record.Never })
		}
		for _, one := range []bool{false, true} {
			path, set := "/"+r.Path, r.Whole
			for _, name := range parents(&r) {
				path = strings.Replace(path, "{}", "{"+name+"}", 1)
			}
			if one {
				path, set = path+"/{selector}", r.One
			}
			operations := object{}
			for _, m := range numbered {
				if set.Has(m) {
					operations[strings.ToLower(m.String())] = operation(&r, m, one)
				}
			}
			if len(operations) > 0 {
				paths[path] = operations
			}
		}
	}
	query := func(name, says string, schema object) object {
		return object{"name": name, "in": "query", "description": says, "schema": schema}
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "aclgate: administration", "version": "1", "description": "Tokens, accounts, limits, grants, realms, users and roles, as the gateway keeps them."},
		"servers": []object{
			{"url": "/", "description": "The public listener: the token of a master, or of a user whose roles say so. Users log in there at /realm/{public_id}/login."},
			{"url": "http://{admin}", "description": "The admin listener (admin.address): the operator, above all roots, with the token of admin.token_file as Bearer. It serves /realm/{public_id}/info and /realm/{public_id}/login too.",
				"variables": object{"admin": object{"default": "127.0.0.1:9090"}}},
		},
		"security": []object{{"token": []string{}}},
		"paths":    paths,
		"components": object{
			"schemas": defs,
			"securitySchemes": object{"token": object{"type": "apiKey", "in": "header", "name": "Authorization",
				"description": "FlespiToken KEY"}},
			"parameters": object{
				"cid":      object{"name": "x-flespi-cid", "in": "header", "description": "the acting account", "schema": schemas[record.ID]},
				"selector": object{"name": "selector", "in": "path", "required": true, "description": "all, ids, or field=value", "schema": object{"type": "string"}},
				"grant":    object{"name": "grant", "in": "path", "required": true, "description": "all, or ids of grants", "schema": object{"type": "string"}},
				"realm":    object{"name": "realm", "in": "path", "required": true, "description": "all, or ids of realms; of a POST one id", "schema": object{"type": "string"}},
				"user":     object{"name": "user", "in": "path", "required": true, "description": "all, ids, or field=value", "schema": object{"type": "string"}},
				"fields":   query("fields", "names with commas between, dots below objects; none: the default set", object{"type": "string"}),
				"limit":    query("limit", "how many rows at most", object{"type": "integer", "minimum": 0}),
				"offset":   query("offset", "how many rows to leave out", object{"type": "integer", "minimum": 0}),
			},
		},
	}
}

// TestPageOfOpenAPI: docs/openapi.json is made from the tables, and a validator that knows OpenAPI
// 3.1 finds nothing wrong with it.
func TestPageOfOpenAPI(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(openapi(t)); err != nil {
		t.Fatal(err)
	}
	isPage(t, openapiFile, b.String())
	const script = `import json, sys, openapi_spec_validator; openapi_spec_validator.validate(json.load(open(sys.argv[1])))`
	if err := exec.Command("python3", "-c", "import openapi_spec_validator").Run(); err != nil {
		t.Skip("openapi_spec_validator is not here: the document was not validated")
	}
	if out, err := exec.Command("python3", "-c", script, openapiFile).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
