package strict

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// noAliases is the message for anchors and aliases. It leaves their names out: a password that
// begins with `*` or `&` and lacks its quotes is read as one.
const noAliases = "anchors (&) and aliases (*) are not read here: write the value out, or quote a text that begins so"

// bareColon finds a value such as :8080 in braces or brackets, where YAML takes its colon for that of a
// key.
var bareColon = regexp.MustCompile(`[{,\[][^"']*[:\[,] *:[^ ]`)

// yamlMessage splits a message of the YAML library into its line, if it has one, and what it says.
var yamlMessage = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// lineReader hands a text out line by line, so that read tells how far the parser had come when it
// stopped. The library's own errors often lack the line, or name that of the mapping around the
// fault.
type lineReader struct {
	text []byte
	read int // bytes handed out
}

// Read implements io.Reader.
func (l *lineReader) Read(p []byte) (int, error) {
	rest := l.text[l.read:]
	if len(rest) == 0 {
		return 0, io.EOF
	}
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end+1]
	}
	n := copy(p, rest)
	l.read += n
	return n, nil
}

// reportSyntax reports an error of the YAML library at the line that a reader would name.
func reportSyntax(report *Report, lines *lineReader, err error) {
	message, line := err.Error(), 0
	if parts := yamlMessage.FindStringSubmatch(message); parts != nil {
		line, _ = strconv.Atoi(parts[1]) // no line: 0, which asks for a search
		message = parts[2]
	}
	text := bytes.Split(lines.text[:lines.read], []byte("\n"))
	message = "this is not YAML: " + message
	if strings.Contains(message, "unknown anchor") {
		message, line = noAliases, 0
	}
	if line == 0 || strings.Contains(message, "did not find expected") {
		line = lastLine(text, err)
	}
	line = min(max(line, 1), len(text))
	if at, ok := findTab(text, line); ok {
		report.Fault(at, "a tab in the indentation: indent with spaces")
		return
	}
	if bareColon.Match(text[line-1]) {
		message += ": a value that begins with a colon needs quotes in {} and []"
	}
	if above := closedAbove(text, line); above > 0 {
		message = fmt.Sprintf("line %d ends the list with []: remove the []", above)
	}
	report.Fault(Pos{line, indent(text[line-1]) + 1}, "%s", message)
}

// indent returns how many spaces a line begins with.
func indent(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

// closedAbove returns the number of the line `key: []` that the element of a list in the named line
// stands under, or 0: the first item is often added below an empty list whose brackets were left.
func closedAbove(text [][]byte, line int) int {
	if !bytes.HasPrefix(bytes.TrimLeft(text[line-1], " "), []byte("- ")) {
		return 0
	}
	above := lastFilled(text, line-1)
	key, _, _ := bytes.Cut(text[above-1], []byte(" #"))
	if above < line && bytes.HasSuffix(bytes.TrimSpace(key), []byte(": []")) && indent(key) <= indent(text[line-1]) {
		return above
	}
	return 0
}

// lastLine returns the number of the line that the parser stumbled on, given the lines it had read.
// It looks one token ahead and skips empty lines and comments for that, so the fault is in the last
// line that holds something or, if the text fails in the same way without that line, in the one
// before.
func lastLine(text [][]byte, err error) int {
	last := lastFilled(text, len(text))
	before := lastFilled(text, last-1)
	_, again := decode(yaml.NewDecoder(bytes.NewReader(bytes.Join(text[:before], []byte("\n")))))
	if again != nil && again.Error() == err.Error() {
		return before
	}
	return last
}

// lastFilled returns the number of the last of the first n lines that is neither empty nor a
// comment, or 1.
func lastFilled(text [][]byte, n int) int {
	for ; n > 1; n-- {
		line := bytes.TrimSpace(text[n-1])
		if len(line) > 0 && line[0] != '#' {
			return n
		}
	}
	return 1
}

// findTab looks for a tab before the first character of the named line or of the next one: YAML
// accepts none there, and reports it in its own words.
func findTab(text [][]byte, line int) (Pos, bool) {
	for n := line; n <= min(line+1, len(text)); n++ {
		indent := text[n-1][:len(text[n-1])-len(bytes.TrimLeft(text[n-1], " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 && len(indent) < len(text[n-1]) {
			return Pos{n, tab + 1}, true
		}
	}
	return Pos{}, false
}
