package main

import (
	"fmt"

	"aclgate/bench/backend"
	"aclgate/bench/broker"
)

// demoBroker starts the demo's broker, on a port that nobody needs to know. As the platform does, it
// keeps the state of items as retained messages.
func demoBroker() (*broker.Broker, error) {
	b, err := broker.Start(broker.Config{
		Users:    map[string]uint64{demoKey: backend.DemoOperator},
		Accounts: map[uint64]uint64{backend.DemoOperator: 0, backend.DemoFleet: backend.DemoOperator, backend.DemoDepot: backend.DemoOperator},
		Dialect:  true,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot start the broker: %w", err)
	}
	for id, name := range map[int]string{2024: "north gate", 2025: "south gate", 2026: "yard"} {
		state(b, backend.DemoOperator, fmt.Sprintf("gw/channels/%d/name", id), name)
	}
	for id, name := range map[int]string{5126: "archive", 5127: "alarms", 5128: "reports"} {
		state(b, backend.DemoOperator, fmt.Sprintf("storage/containers/%d/name", id), name)
	}
	state(b, backend.DemoFleet, "gw/devices/101/name", "truck-1")
	state(b, backend.DemoDepot, "gw/devices/201/name", "forklift-1")
	return b, nil
}

// state publishes a property of an item, as JSON.
func state(b *broker.Broker, account uint64, item, text string) {
	b.Publish(broker.Message{Topic: "flespi/state/" + item, Payload: fmt.Sprintf("%q", text), Retain: true, Account: account})
}
