// Package socket is what is below a connection: system calls, and deadlines without timers.
//
// # System calls
//
// They are made on non-blocking sockets, with the descriptor that syscall.RawConn gives.
//
// On Linux they are made without telling the scheduler. The calls of packages net and syscall tell
// it before and after each one, because it could block; when the thread is preempted in the middle
// of one, which happens as soon as a core has more to do than this process, the runtime takes the
// processor away from it and wakes another thread, although nothing would have blocked. A socket in
// non-blocking mode returns EAGAIN instead. Measured beside the bare proxy: see
// docs/performance.md; BenchmarkLook has the price of one call.
//
// 386 and s390x have no number for these calls in package syscall; there, and on other systems, that
// package makes them.
//
// The race detector takes the calls of package syscall for what they are, one side waiting for the
// other; under it they are used.
//
// A call that a signal interrupted is repeated. Errors are syscall.Errno.
//
// # Deadlines
//
// Setting a deadline before every read and write costs more than all else that happens to a small
// request. So each direction of a connection says in one atomic word, a [Wait], what it waits for
// and since when, by a [Clock] that one goroutine moves. The same goroutine looks at all
// connections a few times a second and ends the waits that have lasted too long. A limit never
// fires early, and at most two ticks late; a tick is a quarter of a second, or a quarter of the
// shortest limit.
package socket
