// Package quota enforces what limits say of accounts (SPEC 12): calls and traffic in a window, blocks,
// and how many items a branch may hold.
//
// An account is bounded by its own limit and by those of all accounts above it; the tightest refuses.
// A request counts for its token's account always, and for the accounts above unless it was denied, so
// that a child's noise blocks nobody beside it. Whoever exceeds calls or traffic is blocked, with all
// below, for as long as the limit says. A count of items is exact within the process: what is being
// created is reserved before it is asked for.
//
// What is in force is one immutable plan behind one pointer, and a counter is one number that is
// changed without a lock. Where no account is bounded there is no plan, and a request costs one load.
package quota
