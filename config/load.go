package config

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aclgate/config/strict"
)

// maxFile bounds a settings file, in bytes.
const maxFile = 1 << 20

// Defaults returns the settings of an empty file in the working folder.
func Defaults() *Settings { return defaults("") }

// Load reads the named file. With faults that are not warnings the settings must not be served:
// what was faulty has its default. They are there for a check that goes on to look at the files
// that they name; they are nil if the file cannot be read at all.
func Load(path string) (*Settings, strict.Faults) {
	report := strict.NewReport(path)
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		err = errors.New("it is larger than 1MiB")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		report.Fault(strict.Pos{}, `cannot read the settings: %v: "aclgate init --upstream URL" writes them; -c names another file`, reason(err))
		return nil, report.Faults()
	}
	if err != nil {
		report.Fault(strict.Pos{}, "cannot read the settings: %v", reason(err))
		return nil, report.Faults()
	}
	s, faults := Parse(path, text)
	if s != nil {
		s.sum = sha256.Sum256(text)
	}
	return s, faults
}

// Changed reports whether the file that Load read holds something else now. A file that cannot be
// read has not changed yet.
func (s *Settings) Changed() bool {
	if s.sum == ([sha256.Size]byte{}) {
		return false
	}
	text, err := os.ReadFile(s.file)
	return err == nil && sha256.Sum256(text) != s.sum
}

// Parse reads the text of the named file. It opens no file; the rest is as with Load.
func Parse(file string, text []byte) (*Settings, strict.Faults) {
	root, report := strict.Parse(file, text)
	if root == nil {
		return nil, report.Faults()
	}
	s := defaults(file)
	s.decode(root, "", table(s))
	s.check(report)
	return s, report.Faults()
}

// defaults returns the settings of the named file if it were empty. The defaults are the texts in
// the table, read as a file's would be.
func defaults(file string) *Settings {
	s := &Settings{file: file, dir: filepath.Dir(file), places: make(map[string]strict.Pos)}
	for _, row := range table(s) {
		root, report := strict.Parse(row.Path, []byte(row.Default))
		row.read(root)
		if faults := report.Faults(); len(faults) > 0 {
			panic("BUG: " + faults.Error())
		}
	}
	return s
}

// decode reads the section of the file whose path is prefix, "" or ending in a dot, by the rows
// below it.
func (s *Settings) decode(n *strict.Node, prefix string, rows []Setting) {
	var keys []string
	row := make(map[string]Setting)
	for _, r := range rows {
		rest, below := strings.CutPrefix(r.Path, prefix)
		if !below {
			continue
		}
		key, _, deeper := strings.Cut(rest, ".")
		if _, known := row[key]; !known {
			keys = append(keys, key)
			row[key] = Setting{}
		}
		if !deeper {
			row[key] = r
		}
	}
	m := n.Map(keys...)
	for _, key := range keys {
		if r := row[key]; r.read == nil {
			s.decode(m.Opt(key), prefix+key+".", rows)
		} else if value := m.Get(key); value != nil {
			s.places[r.Path] = value.Pos()
			r.read(value)
		}
	}
}

// reason returns an error of the file system without the operation and the path, which the message
// around it names or must not name.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
