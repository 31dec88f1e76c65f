package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"aclgate/config"
	"aclgate/metrics/record"
)

// maxAuditLine bounds a line; what the gateway writes is far shorter.
const maxAuditLine = 1 << 20

// auditSettings returns the settings of an audit log that can be read. It may have no lines yet.
func (e *env) auditSettings() (*config.Settings, error) {
	s, err := e.loadSettings()
	if err != nil {
		return nil, err
	}
	if !s.Audit.Path.IsSet() {
		return nil, failed(errors.New("there is no audit log: set audit.path"))
	}
	info, err := os.Stat(s.Audit.Path.Path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, failed(errors.New("audit.path is no regular file: its reader has the records, there is nothing to read here"))
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintf(e.stderr, "%s is not there yet: the gateway makes it when it starts\n", s.Audit.Path.Path)
	}
	return s, nil
}

// auditFiles returns the files of the audit log that are there, oldest first.
func auditFiles(s config.Audit) (files []string) {
	for i := s.Keep; i >= 0; i-- {
		name := s.Path.Path
		if i > 0 {
			name = fmt.Sprintf("%s.%d", name, i)
		}
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	return files
}

// eachLine calls visit with every sound line of r until it returns false.
func eachLine(r io.Reader, visit func(*record.Line, []byte) bool) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxAuditLine)
	for in.Scan() {
		l, err := record.ParseLine(in.Bytes())
		if err == nil && !visit(&l, in.Bytes()) {
			return nil
		}
	}
	return in.Err()
}

// eachLineOf is eachLine for the first size bytes of a file. One that was moved away meanwhile is
// empty.
func eachLineOf(name string, size int64, visit func(*record.Line, []byte) bool) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the audit log: %w", err)
	}
	defer f.Close()
	if err := eachLine(io.LimitReader(f, size), visit); err != nil {
		return fmt.Errorf("cannot read the audit log: %w", err)
	}
	return nil
}
