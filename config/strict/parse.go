package strict

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file, far above any honest one.
const (
	maxText  = 256 << 20 // bytes
	maxDepth = 64        // lists and mappings inside each other
)

// Parse reads the text of the named file. The node is nil if the text is no YAML at all; the report
// then says why. With faults of other kinds the tree is as good as it can be, so that a decoder may
// go on and find the others. A file with nothing in it is an empty mapping.
func Parse(file string, text []byte) (*Node, *Report) {
	return parse(file, text, func(*yaml.Node) {})
}

// parse is Parse with a step between parsing and screening.
func parse(file string, text []byte, prepare func(*yaml.Node)) (*Node, *Report) {
	report := NewReport(file)
	if !screenText(report, text, func() {}) {
		return nil, report
	}
	text, mark, err := markSlashes(text)
	if err != nil {
		report.Fault(Pos{}, "the file cannot be read: %s", err)
		return nil, report
	}
	lines := &lineReader{text: text}
	dec := yaml.NewDecoder(lines)
	first, err := decode(dec)
	if err != nil && !errors.Is(err, io.EOF) {
		reportSyntax(report, lines, err)
		return nil, report
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	if len(first.Content) > 0 {
		root = first.Content[0]
	}
	if err == nil {
		refuseSecond(report, lines, dec)
	}
	unmarkSlashes(root, mark)
	prepare(root)
	screenTree(report, root, 1)
	return &Node{y: root, report: report}, report
}

// decode reads the next document. The parser underneath is a port of a C library with panics of its
// own; the text may come from anyone who can edit a policy, and a gateway must not end by it.
func decode(dec *yaml.Decoder) (doc yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: this text ends the YAML parser")
		}
	}()
	err = dec.Decode(&doc)
	return doc, err
}

// refuseSecond reports a further document: it would be ignored, and its author believes the
// contrary.
func refuseSecond(report *Report, lines *lineReader, dec *yaml.Decoder) {
	second, err := decode(dec)
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		reportSyntax(report, lines, err)
	default:
		report.Fault(Pos{second.Line, second.Column}, "a second document begins here: one file holds one document")
	}
}

// screenText checks what the YAML reader would let pass or name badly: size, encoding, control
// bytes. It reports whether the text can be parsed.
func screenText(report *Report, text []byte, pause func()) bool {
	switch {
	case len(text) > maxText:
		report.Fault(Pos{}, "the file is larger than %s", formatBytes(maxText))
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		report.Fault(Pos{1, 1}, "the file begins with a byte order mark: save it as UTF-8 without one")
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		report.Fault(Pos{1, 1}, "the file is UTF-16: save it as UTF-8")
	default:
		return screenBytes(report, text, pause)
	}
	return false
}

// screenBytes reports the first byte that no text file holds, and whether there is none.
func screenBytes(report *Report, text []byte, pause func()) bool {
	for i := 0; i < len(text); {
		if i%1024 == 0 {
			pause()
		}
		if b := text[i]; b >= ' ' && b < 0x7f {
			i++
			continue
		}
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			report.Fault(posAt(text, i), "this is not UTF-8 text: byte 0x%02x", text[i])
			return false
		case c < ' ' && c != '\n' && c != '\r' && c != '\t', c == 0x7f:
			report.Fault(posAt(text, i), "control byte 0x%02x", c)
			return false
		case c == 0x85, c == 0x2028, c == 0x2029:
			// YAML 1.1, and so the library, ends a line here, a comment even; JSON, YAML 1.2 and
			// editors do not.
			report.Fault(posAt(text, i), `line end U+%04X: write it as "\u%04x" in double quotes`, c, c)
			return false
		}
		i += size
	}
	return true
}

// posAt returns the place of the byte at offset.
func posAt(text []byte, offset int) Pos {
	before := text[:offset]
	line := bytes.Count(before, []byte("\n"))
	start := bytes.LastIndexByte(before, '\n') + 1
	return Pos{Line: line + 1, Col: utf8.RuneCount(before[start:]) + 1}
}

// screenTree refuses, once and in their place, the features of YAML that this package does not
// read, and cuts them off: readers meet a node of no kind there and say nothing more about it.
func screenTree(report *Report, y *yaml.Node, depth int) {
	at := Pos{y.Line, y.Column}
	switch {
	case depth > maxDepth:
		report.Fault(at, "more than %d lists and mappings inside each other", maxDepth)
	case y.Kind == yaml.AliasNode, y.Anchor != "":
		report.Fault(at, "%s", noAliases)
	case y.Style&yaml.TaggedStyle != 0:
		report.Fault(at, "tags are not read here: leave it out")
	default:
		for _, child := range y.Content {
			screenTree(report, child, depth+1)
		}
		return
	}
	y.Kind, y.Content, y.Alias = 0, nil, nil
}
