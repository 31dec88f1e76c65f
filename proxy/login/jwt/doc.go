// Package jwt verifies JSON Web Tokens of issuers that the settings name (SPEC 10.10, RFC 7519, RFC
// 8725).
//
// Its rules:
//
//   - The header of a token chooses nothing but a key of its issuer, by kid, and an algorithm of those
//     that the settings name. Everything else in it that would mean something is a fault.
//   - Header and claims are read strictly: no member twice, no number that loses digits.
//   - The keys of an issuer are read from its own address, over TLS, without redirects, bounded in
//     size and time. The last good ones stay for a while; a key that is not among them any more ends
//     what it has signed.
//   - Whatever is wrong, the caller learns that it is not accepted. The log says why.
package jwt
