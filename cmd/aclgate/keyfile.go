package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// keyFile is the file that a new key is written to. Nil: the key is printed.
type keyFile struct {
	file *os.File
	full bool // the key is in it
}

// newKeyFile makes a file, for its owner alone, before there is a key that could be lost. It returns nil
// without a path.
func newKeyFile(path string) (*keyFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("--key-file: %s exists already: no token was made", path)
	}
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w: no token was made", err)
	}
	return &keyFile{file: f}, nil
}

// say writes the key of a token to the file, or prints it to out, with what there is to say of it on the line before.
// A key that cannot be written is printed, too: it would be lost.
func (k *keyFile) say(about, out io.Writer, token, text, key string) error {
	if k == nil {
		fmt.Fprintln(about, text)
		_, err := fmt.Fprintln(out, key)
		return err
	}
	_, err := fmt.Fprintln(k.file, key)
	if err = errors.Join(err, k.file.Close()); err != nil {
		fmt.Fprintf(about, "%s\n%s\n", text, key)
		return fmt.Errorf("cannot write the key to %s: %w", k.file.Name(), err)
	}
	k.full = true
	fmt.Fprintf(about, "%s: the key is in %s, for its owner alone, and nowhere else\n", token, k.file.Name())
	return nil
}

// drop removes the file where no token was made, and no key is in it.
func (k *keyFile) drop(err error) {
	if k != nil && err != nil && !k.full {
		k.file.Close()
		_ = os.Remove(k.file.Name())
	}
}
