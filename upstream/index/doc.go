// Package index knows which account every item belongs to, which items belong to groups, and how
// accounts hang together where the backend has them. It also asks the backend what only a single
// request needs: the ids of its matches, and its unknown ids.
//
// # Item index
//
// An [ItemIndex] reads every collection that some token can reach, again and again. What was read
// is a snapshot; what changed since, in an overlay above it. Both are immutable, so a request takes
// one [View] and keeps it.
//
// # Account tree
//
// [Accounts] reads the tree of accounts below the roots of the policy.
//
// # Resolver
//
// A [Resolver] turns an unresolved decision into one that can be made (SPEC 4.3).
package index
