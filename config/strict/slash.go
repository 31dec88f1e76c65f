package strict

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// JSON may escape a slash, and flespi does so in all that it exports ("gw\/devices"). YAML 1.2 took
// the escape over, the YAML library did not: it calls it unknown. So each such backslash is swapped
// for a character that the text does not hold, before parsing, and taken out again afterwards. It
// is one character for one, which leaves every column where it was.

// privateUse are the bounds of Unicode's private characters, none of which means anything to YAML.
const privateUse, privateUseEnd = '\uE000', '\uF8FF'

// markSlashes swaps the backslash of each `\/` for mark, and returns mark, which is 0 if there was
// none. Backslashes are read in pairs, as in a double-quoted text, so `\\/` stays.
func markSlashes(text []byte) ([]byte, rune, error) {
	if !bytes.Contains(text, []byte(`\/`)) {
		return text, 0, nil
	}
	mark := rune(privateUse)
	for bytes.ContainsRune(text, mark) {
		if mark++; mark > privateUseEnd {
			return nil, 0, errors.New("it holds all of Unicode's private characters")
		}
	}
	marked := make([]byte, 0, len(text)+len(text)/16)
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\' || i+1 == len(text):
			marked = append(marked, text[i])
		case text[i+1] == '/':
			marked = utf8.AppendRune(marked, mark)
		default:
			marked = append(marked, text[i], text[i+1])
			i++
		}
	}
	return marked, mark, nil
}

// unmarkSlashes removes the marks again: where `\/` was an escape, in double quotes, nothing is
// left of the backslash; everywhere else it comes back.
func unmarkSlashes(y *yaml.Node, mark rune) {
	if mark == 0 {
		return
	}
	backslash := `\`
	if y.Style&yaml.DoubleQuotedStyle != 0 {
		backslash = ""
	}
	y.Value = strings.ReplaceAll(y.Value, string(mark), backslash)
	for _, child := range y.Content {
		unmarkSlashes(child, mark)
	}
}
