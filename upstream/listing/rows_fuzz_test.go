package listing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"aclgate/policy"
)

// slowRows is the second opinion: it reads a listing with encoding/json, token by token, so that
// names that come twice are seen.
type slowRows struct {
	dec *json.Decoder
}

var errSlow = errors.New("no listing")

func (s *slowRows) token() (json.Token, error) { return s.dec.Token() }

// value reads one value and returns its text.
func (s *slowRows) value() (json.RawMessage, error) {
	var raw json.RawMessage
	err := s.dec.Decode(&raw)
	return raw, err
}

// readSlow returns the rows as readRows does, or an error for what is no listing.
func readSlow(text []byte) (string, error) {
	if !json.Valid(text) {
		return "", errSlow
	}
	s := &slowRows{json.NewDecoder(bytes.NewReader(text))}
	if tok, err := s.token(); err != nil || tok != json.Delim('{') {
		return "", errSlow
	}
	out, seen := "", map[string]int{}
	for s.dec.More() {
		name, err := s.token()
		if err != nil {
			return "", err
		}
		raw, err := s.value()
		if err != nil {
			return "", err
		}
		key := name.(string)
		seen[key]++
		switch {
		case key == "errors" && (seen[key] > 1 || raw[0] != '[' && raw[0] != 'n'):
			return "", errSlow
		case key == "result" && (seen[key] > 1 || raw[0] != '['):
			return "", errSlow
		case key == "result":
			if out, err = slowResult(raw); err != nil {
				return "", err
			}
		}
	}
	if seen["result"] != 1 {
		return "", errSlow
	}
	return out, nil
}

func slowResult(raw []byte) (string, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(raw, &rows); err != nil {
		return "", err
	}
	var out []string
	for _, row := range rows {
		text, err := slowRow(row)
		if err != nil {
			return "", err
		}
		out = append(out, text)
	}
	return strings.Join(out, " "), nil
}

func slowRow(raw []byte) (string, error) {
	s := &slowRows{json.NewDecoder(bytes.NewReader(raw))}
	if tok, err := s.token(); err != nil || tok != json.Delim('{') {
		return "", errSlow
	}
	cells := map[string]string{"id": "-", "cid": "-"}
	seen := map[string]bool{}
	for s.dec.More() {
		name, err := s.token()
		if err != nil {
			return "", err
		}
		raw, err := s.value()
		if err != nil {
			return "", err
		}
		key := name.(string)
		if _, asked := cells[key]; !asked {
			continue
		}
		if seen[key] {
			return "", errSlow
		}
		seen[key] = true
		if id, ok := policy.ParseID(raw); ok {
			cells[key] = fmt.Sprint(id)
		}
	}
	if cells["id"] == "-" {
		return "", errSlow
	}
	return cells["id"] + ":" + cells["cid"], nil
}

// tooDeep reports whether a text may be nested deeper than we read.
func tooDeep(text []byte) bool {
	return bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) >= maxNesting
}

// FuzzRows holds the scanner against encoding/json: both read the same rows, or both refuse,
// however the stream is cut.
func FuzzRows(f *testing.F) {
	for _, row := range goodRows {
		f.Add([]byte(row.text))
	}
	for _, row := range badRows {
		f.Add([]byte(row.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, wantErr := readSlow(text)
		if tooDeep(text) {
			return
		}
		for name, src := range map[string]io.Reader{
			"whole": bytes.NewReader(text), "single bytes": iotest.OneByteReader(bytes.NewReader(text)),
			"end with data": iotest.DataErrReader(bytes.NewReader(text)),
		} {
			got, r := readRows(src, itemColumns)
			switch {
			case (r.Err() == nil) != (wantErr == nil):
				t.Fatalf("%s of %q: got %v, want %v", name, text, r.Err(), wantErr)
			case r.Err() == nil && got != want:
				t.Fatalf("%s of %q: got %q, want %q", name, text, got, want)
			case r.Err() != nil && !errors.Is(r.Err(), ErrRows):
				t.Fatalf("%s of %q: %v is no ErrRows", name, text, r.Err())
			}
		}
	})
}
