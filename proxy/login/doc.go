// Package login lets people in: passwords are checked, sessions made and ended, and the tokens of
// users get what their user and realm say at that moment (SPEC 10.6).
//
// Its rules:
//
//   - Whoever fails learns nothing. A wrong name, a wrong password, a wrong realm, a disabled user and
//     a blocked account take the same work, answer the same bytes, and answer them half a second
//     after the request came, at the earliest.
//   - Hashing is expensive, so few do it at one time and few wait for it. Nobody else waits. Where
//     logins flood in it rests most of the time, but not for addresses that are known.
//   - A session is known by the digest of its key. Its rights are looked up, never kept.
//   - Nothing here says a password, a key or a hash in an error, a log or an answer, but for the key
//     in the answer to the login.
package login
