//go:build !linux

package sqlite

// patient does nothing where no thread can say how long it is to be left alone.
func patient() (restore func()) { return func() {} }
