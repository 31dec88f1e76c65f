// Package sys holds the few calls of Linux that the bench makes itself, past Go's net package: an
// epoll loop, raw sockets, pinning to a core, the CPU clock of another process.
//
// The generator and the fake backend share what one core gives, and both must cost far less than
// the proxies on the other core. A goroutine per connection spends about as long in Go's scheduler
// and poller as in the work itself; one thread that asks epoll for everything that is ready, and
// reads and writes by bare system calls, does not. Nothing here allocates after its set-up.
//
// On other systems every call fails with ErrUnsupported: the bench says so and ends.
package sys

import "errors"

// ErrUnsupported says that the system is not Linux.
var ErrUnsupported = errors.New("the bench needs Linux: epoll, CPU affinity and process clocks")

// maxEvents is how many ready descriptors one Wait returns at most.
const maxEvents = 256
