// Package probe checks that the backend obeys x-flespi-cid, where that header alone keeps accounts
// apart (SPEC 4.4).
package probe
