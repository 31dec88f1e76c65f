package proxy

import (
	"bytes"
	"slices"

	"aclgate/policy"
	"aclgate/proxy/body"
)

// fieldKeys are what the data of a request says of the fields of items.
var fieldKeys = body.NewKeys("fields", "filter")

// noteDataFields notes in the input what the data of a request says of fields, where entries or grants
// may keep some back (SPEC 2, A field is data). What cannot be read says nothing: it is refused with the body.
func noteDataFields(in *policy.Input) {
	in.DataFields = policy.DataFields{}
	r := in.Request
	if r.Data == nil || r.Route == nil || r.Route.Rows == nil || in.Token == nil || in.Token.Access != policy.ACLAccess && !in.United() {
		return
	}
	in.DataFields = readDataFields(r.Data)
}

func readDataFields(text []byte) (said policy.DataFields) {
	s := body.Get()
	defer body.Put(s)
	shape, err := s.Check(text)
	if err != nil {
		return said
	}
	err = s.Elements(text, fieldKeys, func(e *body.Element) error {
		names, filter := e.Values[0], e.Values[1]
		said.Filter = said.Filter || filter.Present()
		if !names.Present() {
			return nil
		}
		list, ok := names.AppendStrings(nil)
		said.Bad = said.Bad || !ok || shape == body.Array // several lists: nobody knows which one counts
		said.Names = list
		if plain, star := withoutStar(list); star {
			said.Plain = slices.Concat(text[:names.At], []byte{'"'}, plain, []byte{'"'}, text[names.At+len(names.Raw):])
		}
		return nil
	})
	said.Bad = said.Bad || err != nil // other letters
	return said
}

// withoutStar returns a list of names without "*", and whether it was there.
func withoutStar(list []byte) (plain []byte, star bool) {
	names := bytes.Split(list, []byte{','})
	rest := slices.DeleteFunc(slices.Clone(names), func(name []byte) bool { return string(name) == "*" })
	return bytes.Join(rest, []byte{','}), len(rest) < len(names)
}
