package record

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// auditFile is the file of an Audit with those that came before it. It belongs to one goroutine.
type auditFile struct {
	path    string
	maxSize int64
	keep    int
	file    *os.File // nil: it could not be opened again
	size    int64
	rotates bool  // it is a regular file under its own name
	torn    bool  // the last line is not whole
	patient int64 // no rotation below this size: the last one failed
}

func openAuditFile(path string, maxSize int64, keep int) (*auditFile, error) {
	f := &auditFile{path: path, maxSize: maxSize, keep: keep}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// open opens the file by its name. Nobody but its owner reads it: it says who uses what, and when.
// Opening does not wait: not for a reader of a named pipe, either.
func (f *auditFile) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|openNonBlocking, 0o600)
	if noReader(err) {
		if own := ownOutput(f.path); own != nil {
			file, err = own, nil
		}
	}
	if err != nil {
		return fmt.Errorf("cannot open the audit log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("cannot open the audit log: %w", err)
	}
	f.file, f.size, f.patient, f.rotates = file, info.Size(), 0, false
	if named, err := os.Lstat(f.path); err == nil {
		// A link to the standard output stays one, also where that is a regular file: somebody else
		// writes there, too.
		f.rotates = named.Mode().IsRegular() && os.SameFile(named, info)
	}
	return nil
}

// CheckAudit returns why OpenAudit would refuse the path now; nil if it would not. It leaves nothing
// behind: a file that is not there is not made.
func CheckAudit(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|openNonBlocking, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if file, err = os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.check"); err == nil {
			defer os.Remove(file.Name())
		}
	}
	if noReader(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open the audit log: %w", err)
	}
	return file.Close()
}

func (f *auditFile) close() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

func (f *auditFile) reopen() error {
	f.close()
	f.torn = false
	return f.open()
}

// auditStall is how long a write waits for a reader that takes nothing.
const auditStall = time.Second

// write appends whole lines and returns how many arrived and how many did not. Part of a line may
// have: the next write then begins on a line of its own, so that one line is lost and not two.
func (f *auditFile) write(lines []byte) (written, lost int, err error) {
	total := bytes.Count(lines, []byte{'\n'})
	if f.file == nil {
		err = f.open()
	} else if f.rotates && f.size > 0 && f.size+int64(len(lines)) > max(f.maxSize, f.patient) {
		err = f.rotate()
	}
	if f.file == nil {
		return 0, total, err
	}
	if f.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	_ = f.file.SetWriteDeadline(time.Now().Add(auditStall)) // an error where nothing is waited for: on disks
	n, failed := f.file.Write(lines)
	f.size += int64(n)
	if failed == nil {
		f.torn = false
		return total, 0, err
	}
	if n > 0 {
		f.torn = lines[n-1] != '\n'
	}
	written = bytes.Count(bytes.TrimLeft(lines[:n], "\n"), []byte{'\n'})
	return written, total - written, failed
}

// rotateAgain is how much more is written before a failed rotation is tried again.
const rotateAgain = 1 << 20

// rotate moves the file to Path.1, that one to Path.2 and so on, and begins a new one. If that
// fails, the old file goes on growing: too large is better than lost.
func (f *auditFile) rotate() error {
	err := f.shift()
	if err == nil {
		f.close()
		f.torn = false
		return f.open()
	}
	f.patient = f.size + rotateAgain
	return fmt.Errorf("cannot begin a new audit log: %w", err)
}

func (f *auditFile) shift() error {
	if f.keep == 0 {
		return os.Remove(f.path)
	}
	for i := f.keep - 1; i > 0; i-- {
		if err := os.Rename(f.older(i), f.older(i+1)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.Rename(f.path, f.older(1))
}

// older returns the name of the i-th file before the one that is written.
func (f *auditFile) older(i int) string { return fmt.Sprintf("%s.%d", f.path, i) }
