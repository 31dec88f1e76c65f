package join

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"aclgate/proxy/jsonscan"
)

// outcome is what became of two parts.
type outcome struct {
	text    string
	errs    [2]error
	partial bool
	whole   int // rows of the first part
}

// play joins two parts, fed in pieces of the given lengths in turn, with a bound for rows that
// fuzzed ones reach.
func play(a, b []byte, pieces ...int) outcome {
	var j Joiner
	j.Reset()
	j.most = 24
	var dst []byte
	var o outcome
	turn := 0
	for i, text := range [][]byte{a, b} {
		j.Begin(true)
		for len(text) > 0 {
			n := min(max(pieces[turn%len(pieces)], 1), len(text))
			turn++
			dst, _ = j.Feed(dst, text[:n])
			text = text[n:]
		}
		o.errs[i] = j.End()
		if i == 0 {
			o.whole = j.Rows()
		}
		if o.errs[i] != nil && j.PartialRow() {
			o.partial = true
			return o // how much of the row is sent depends on the pieces
		}
		if o.errs[i] != nil {
			j.AddErrors([]byte(`"fault"`))
		}
	}
	o.text = string(j.Close(dst))
	return o
}

// decode reads result and errors of a valid part, or names its first fault.
func decode(t *testing.T, text []byte) (result, errs []string, fault error) {
	t.Helper()
	if bytes.TrimLeft(text, " \t\r\n")[0] != '{' {
		return nil, nil, jsonscan.ErrNotObject
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token()
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			t.Fatalf("%q: %v", text, err)
		}
		name := key.(string)
		if name != "result" && name != "errors" {
			continue
		}
		switch {
		case seen[name]:
			return result, errs, jsonscan.ErrTwice
		case raw[0] != '[':
			return result, errs, jsonscan.ErrNotArray
		case name == "result":
			result = elements(t, raw)
		default:
			errs = elements(t, raw)
		}
		seen[name] = true
	}
	if !seen["result"] && len(errs) == 0 {
		return nil, nil, ErrNothing
	}
	return result, errs, nil
}

// elements returns the elements of a valid array, byte for byte.
func elements(t *testing.T, array []byte) (texts []string) {
	t.Helper()
	var raw []json.RawMessage
	if err := json.Unmarshal(array, &raw); err != nil {
		t.Fatalf("%q: %v", array, err)
	}
	for _, e := range raw {
		texts = append(texts, string(e))
	}
	return texts
}

func encode(result, errs []string) string {
	text := `{"result":[` + strings.Join(result, ",") + `]`
	if len(errs) > 0 {
		text += `,"errors":[` + strings.Join(errs, ",") + `]`
	}
	return text + "}"
}

// However the parts are cut, the joined answer is the same; for valid parts it is their rows and
// errors, byte for byte; and wherever a valid part breaks off, what is left is valid and holds a
// beginning of its rows and all of the other's.
func FuzzJoin(f *testing.F) {
	for _, row := range rows {
		a, b, _ := strings.Cut(row.parts, "|")
		f.Add([]byte(a), []byte(b), uint16(3), uint16(5))
	}
	f.Add([]byte(`{"result":["`+strings.Repeat("x", 40)+`",1]}`), []byte(`{"result":[{"a":[1,2,3,4,5,6,7,8,9,10]}]}`), uint16(20), uint16(1))
	f.Fuzz(func(t *testing.T, a, b []byte, first, second uint16) {
		want := play(a, b, len(a)+len(b)+1)
		for _, pieces := range [][]int{{1}, {int(first), int(second)}, {1, 1, 7}} {
			if got := play(a, b, pieces...); got != want {
				t.Fatalf("%q, %q in pieces of %v: got %+v, want %+v", a, b, pieces, got, want)
			}
		}
		if !json.Valid(a) || !json.Valid(b) {
			return
		}
		aRows, aErrs, aFault := decode(t, a)
		bRows, bErrs, bFault := decode(t, b)
		if want.errs != [2]error{aFault, bFault} {
			t.Fatalf("%q, %q: got %v, want %v, %v", a, b, want.errs, aFault, bFault)
		}
		if aFault != nil || bFault != nil {
			return
		}
		if text := encode(append(aRows, bRows...), append(aErrs, bErrs...)); want.text != text {
			t.Fatalf("%q, %q: got %q, want %q", a, b, want.text, text)
		}
		breakOff(t, a[:int(first)%(len(a)+1)], b, aRows)
	})
}

// breakOff joins a piece of a part whose rows are all with a whole part.
func breakOff(t *testing.T, piece, b []byte, all []string) {
	t.Helper()
	got := play(piece, b, 5)
	if got.partial {
		return
	}
	rows, _, fault := decode(t, []byte(got.text))
	if !json.Valid([]byte(got.text)) || fault != nil {
		t.Fatalf("%q, %q: got %q, %v", piece, b, got.text, fault)
	}
	bRows, _, _ := decode(t, b)
	if want := append(all[:got.whole:got.whole], bRows...); strings.Join(rows, ",") != strings.Join(want, ",") {
		t.Fatalf("%q, %q: got rows %q, want %q", piece, b, rows, want)
	}
}
