package store

import (
	"encoding/json"
	"strings"

	"aclgate/config/strict"
	"aclgate/policy/record"
)

// object is a JSON object.
type object = map[string]any

// Schema returns the JSON Schema of the policy file, made from the table that reads it.
func Schema() []byte {
	root := mappingForm("")
	root["$schema"], root["title"] = strict.SchemaDraft, "aclgate policy"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of texts have no fault
	}
	return append(text, '\n')
}

// mappingForm returns the schema of the mapping at a path.
func mappingForm(path string) object {
	properties, required := object{}, []string{}
	prefix := path
	if path != "" {
		prefix += "."
	}
	for _, f := range reference {
		key, inside := strings.CutPrefix(f.Path, prefix)
		if !inside || strings.ContainsAny(key, ".[") {
			continue
		}
		form := valueForm(f)
		form["description"] = f.Doc
		properties[key] = form
		if f.Required && key != "key_sha256" { // or key
			required = append(required, key)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// valueForm returns the schema of what a key takes. Numbers may be written as text, because the text
// of a value decides.
func valueForm(f Field) object {
	text := func(pattern string) object { return object{"type": "string", "pattern": pattern} }
	whole := object{"type": "integer", "minimum": 0}
	either := func(forms ...any) object { return object{"anyOf": forms} }
	listOf := func(item object) object { return object{"type": "array", "items": item} }
	id := either(object{"type": "integer", "minimum": 1}, text(strict.IDPattern))
	switch f.Type {
	case typeList:
		return either(listOf(mappingForm(f.Path+"[]")), object{"type": "null"})
	case typeMapping:
		return mappingForm(f.Path)
	case typeID:
		return either(id, object{"type": "null"}) // a parent of null is none
	case typeBool:
		return object{"type": "boolean"}
	case typeKey:
		return text(strict.KeyPattern)
	case typeDigest:
		return text(`^[0-9a-fA-F]{64}$`)
	case typeMoment:
		return either(whole, text(strict.MomentPattern))
	case typeSeconds:
		return either(whole, text(strict.DurationPattern), text(`^[0-9]+$`))
	case typeIPs, typeOrigins:
		return either(object{"type": "string"}, object{"type": "array"})
	case typeAccess:
		return object{"enum": []any{"master", "standard", "acl", "noapi", 0, 1, 2, 3, "0", "1", "2", "3"}}
	case typeMethods:
		return listOf(object{"enum": methodNames})
	case typeIDs:
		return either(listOf(id), object{"enum": []string{"all", "in-groups"}})
	case typeActions:
		return listOf(object{"enum": []string{"publish", "subscribe"}})
	case typeOwners:
		run := text(`^[1-9][0-9]*(-[1-9][0-9]*)?$`)
		ofAccount := object{"type": "object", "propertyNames": text(strict.IDPattern), "additionalProperties": listOf(either(object{"type": "integer", "minimum": 1}, run))}
		return either(object{"type": "object", "additionalProperties": ofAccount}, object{"type": "null"})
	case typeTexts:
		return listOf(object{"type": "string"})
	case typeRecords:
		row := object{"type": "object"}
		if f.Path == "realms" {
			row["properties"] = object{"claims": record.ClaimsSchema()}
		}
		return either(listOf(row), object{"type": "null"})
	case typeAny:
		return object{}
	}
	return object{"type": []string{"string", "number", "boolean"}}
}
