// Package limit bounds how much one caller gets: requests in a time, requests at once after a
// pause, and requests at one time.
//
// There are three scopes. A token has one bucket. An account has one too, and a request is charged
// to the account of its token and to every account above it: a customer's use counts for the
// operator. A source, which is an IPv4 address or an IPv6 /64, has one for requests without a valid
// token.
//
// A bucket is one number: the moment at which it is full again (the generic cell rate algorithm,
// ITU-T I.371). A request moves it ahead by one interval, and is refused where that would be
// further ahead of now than a burst lasts. Over any time t a bucket so admits at most burst + rate
// × t requests.
//
// A request takes its buckets from the token up to the root. Where one refuses, those below get
// back what they gave: a customer does not pay for what the operator's bound refused. What was
// taken is in a Hold, which counts as one request at that time until its Release.
//
// An account is shared by its users: the accounts below it, and its own callers as one. One of them
// alone leaves a quarter of the bound to others. Who has asked in this epoch or the one before counts
// as a user, and each of several has its part of the rate even when nothing but that quarter is left.
// So an account that never stops asking takes from those beside it only what they do not use.
//
// No lock is shared by all requests. A bucket changes by compare-and-swap, and is found in one of
// many tables that are read without a lock; that of a table is taken for keys that are new to it.
//
// Memory is bounded. A bucket that is full and unused says nothing that a new one would not say, so
// such buckets are swept when a table has doubled. Tokens and accounts are as many as the policy
// names; sources are anybody, so their number has a hard bound, beyond which newcomers share
// buckets. To send from ever more addresses fills that bound and escapes nothing.
//
// Keys are ids, so that what was used up survives a reload of the policy. Time is an argument:
// nanoseconds of a clock that never goes back, 0 or more.
package limit
