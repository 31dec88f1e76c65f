// Package admin is the listener for those who run the gateway: metrics, health, readiness, and what
// only they may ask for or change.
//
// The rules (SPEC 7):
//
//   - /metrics, /healthz and /readyz are there for everyone who reaches the
//     listener. Everything else needs the admin token and, where none was set,
//     does not exist: 404.
//   - The token comes as `Authorization: Bearer KEY` or as the bare key. Only
//     its SHA-256 digest is kept, and digests are compared in constant time.
//   - What changes something is a POST. There is no CORS and no cookie, so a
//     page in an operator's browser can change nothing.
//   - Answers are JSON in the shape of the API: {"result":[…]}, and with faults
//     {"errors":[{"code":…,"reason":"…"}],"result":[…]}. They are never cached.
//
// It runs on net/http with its own listener, goroutines and bounds, and shares nothing with the
// requests that the gateway serves: it answers while they are too many.
package admin
