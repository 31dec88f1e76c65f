package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"aclgate/config/strict"
)

// object is a JSON object.
type object = map[string]any

// Schema returns the JSON Schema of the settings file, made from the table that reads it.
func Schema() []byte {
	root := mappingOf("The settings of aclgate. Every one has a default.")
	root["$schema"], root["title"] = strict.SchemaDraft, "aclgate settings"
	for _, row := range Reference() {
		at := root
		names := strings.Split(row.Path, ".")
		for _, name := range names[:len(names)-1] {
			properties := at["properties"].(object)
			if properties[name] == nil {
				properties[name] = mappingOf("")
			}
			at = properties[name].(object)
		}
		value := valueSchema(row.Type)
		value["description"] = fmt.Sprintf("%s Default: %s", row.Doc, row.Default)
		at["properties"].(object)[names[len(names)-1]] = value
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of texts have no fault
	}
	return append(text, '\n')
}

// mappingOf returns the schema of a mapping whose keys are all known.
func mappingOf(doc string) object {
	s := object{"type": "object", "properties": object{}, "additionalProperties": false}
	if doc != "" {
		s["description"] = doc
	}
	return s
}

// valueSchema returns the schema of what a row of the table takes. The text of a value decides, so
// that a number may be written as text, too.
func valueSchema(kind string) object {
	text := func(pattern string, or object) object {
		return object{"anyOf": []any{object{"type": "string", "pattern": pattern}, or}}
	}
	zero := object{"const": 0}
	switch {
	case kind == "bool":
		return object{"type": "boolean"}
	case strings.HasPrefix(kind, "number from"):
		return object{"type": "number", "minimum": 0, "maximum": 1}
	case kind == "number":
		return object{"type": "integer", "minimum": 0}
	case kind == "size":
		return text(strict.SizePattern, object{"type": "integer", "minimum": 0})
	case kind == "duration":
		return text(strict.DurationPattern, zero)
	case kind == "rate":
		return text(strict.RatePattern, zero)
	case kind == "host:port":
		return object{"type": "string", "pattern": "^$|" + strict.AddressPattern}
	case kind == "mapping":
		return object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}}
	case kind == "list of issuers":
		properties := object{}
		for _, key := range issuerKeys {
			properties[key] = object{"type": "string"}
		}
		properties["algorithms"] = object{"type": "array", "items": oneWordOf([]string{string(RS256), string(ES256), string(EdDSA)})}
		item := object{"type": "object", "properties": properties, "required": []string{"name", "issuer"}, "additionalProperties": false}
		return object{"type": "array", "items": item}
	case strings.HasPrefix(kind, "list of "):
		return object{"type": "array", "items": object{"type": []string{"string", "number"}}}
	case strings.Contains(kind, " | "):
		return oneWordOf(strings.Split(kind, " | "))
	}
	return object{"type": "string"}
}

// oneWordOf returns the schema of a word out of a few. A whole number among them may be written as
// one.
func oneWordOf(words []string) object {
	var values []any
	for _, w := range words {
		values = append(values, w)
		if n, err := strconv.Atoi(w); err == nil {
			values = append(values, n)
		}
		if w == "on" || w == "off" {
			values = append(values, w == "on") // YAML 1.1 has editors take them for booleans
		}
	}
	return object{"enum": values}
}
