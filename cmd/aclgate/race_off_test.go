//go:build !race

package main

// underRace tells that the race detector multiplies the memory of everything.
const underRace = false
