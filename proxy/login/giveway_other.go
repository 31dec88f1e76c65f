//go:build !linux

package login

import "runtime"

// giveWay lets other goroutines run first.
func giveWay() { runtime.Gosched() }
