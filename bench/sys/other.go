//go:build !linux

package sys

import (
	"net/netip"
	"os/exec"
	"syscall"
	"time"
)

// Poller waits for descriptors to become readable.
type Poller struct{}

// NewPoller fails.
func NewPoller() (*Poller, error) { return nil, ErrUnsupported }

// Add fails.
func (p *Poller) Add(int, int32) error { return ErrUnsupported }

// Wait fails.
func (p *Poller) Wait(time.Duration, func(int32)) error { return ErrUnsupported }

// Close does nothing.
func (p *Poller) Close() error { return nil }

// Dial fails.
func Dial(netip.AddrPort) (int, error) { return -1, ErrUnsupported }

// Listen fails.
func Listen(at netip.AddrPort) (int, netip.AddrPort, error) { return -1, at, ErrUnsupported }

// Accept fails.
func Accept(int) (int, error) { return -1, ErrUnsupported }

// Read fails.
func Read(int, []byte) (int, syscall.Errno) { return -1, syscall.EINVAL }

// Write fails.
func Write(int, []byte) (int, syscall.Errno) { return -1, syscall.EINVAL }

// Close does nothing.
func Close(int) error { return nil }

// CPUs fails.
func CPUs() ([]int, error) { return nil, ErrUnsupported }

// Pin fails.
func Pin([]int) error { return ErrUnsupported }

// PinAll fails.
func PinAll(int) error { return ErrUnsupported }

// CPUTime fails.
func CPUTime(int) (time.Duration, error) { return 0, ErrUnsupported }

// Prompt fails.
func Prompt(int) error { return ErrUnsupported }

// ExactTimers does nothing.
func ExactTimers() {}

// DieWithParent does nothing.
func DieWithParent(*exec.Cmd) {}

// Become fails.
func Become([]int, string, []string) error { return ErrUnsupported }
