// Package broker is the gateway's side of its connections to the backend's MQTT broker: one for
// each client session (SPEC 16). It dials, says CONNECT with the gateway's credential, tells what
// the broker can do, and keeps the connection. What is sent over it is not its concern.
//
// Towards the broker the gateway always speaks MQTT 5, because scope and the sender's account
// travel in user properties, whatever the client speaks. A broker that does not is an error that
// says so.
package broker
