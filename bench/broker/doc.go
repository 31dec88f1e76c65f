// Package broker is a fake MQTT broker for demo, tests and bench. It behaves like a real one of
// MQTT 3.1, 3.1.1 and 5 (sessions, QoS, wills, retained messages, shared subscriptions), imitates
// the vendor's dialect and accounts where it is told to, remembers what it was sent, and misbehaves
// on demand.
//
// It has its own reader and printer of packets and its own idea of what a filter matches: it is one
// of the judges of the gateway, and must share neither with it. One lock serves all of it; it is
// right before it is fast.
package broker
