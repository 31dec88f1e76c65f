package backend

// The accounts of the demo: an operator with two customers that must not see each other.
const (
	DemoOperator = 1
	DemoFleet    = 11
	DemoDepot    = 12
)

// DemoWorld returns what `aclgate demo` plays with: the channels, containers and abques of the
// vendor's published tutorial, all of the operator's own account, and a small fleet below it. The
// tutorial's answers come out of it byte for byte, so nothing may be added to these three
// collections.
func DemoWorld() *World {
	w := NewWorld(
		Account{ID: DemoOperator, Name: "operator"},
		Account{ID: DemoFleet, Parent: DemoOperator, Name: "ACME Fleet"},
		Account{ID: DemoDepot, Parent: DemoOperator, Name: "Harbour Depot"},
	)
	for i := int64(0); i < 3; i++ {
		w.demo("gw/channels", Item{ID: 2024 + i, Fields: Fields{"configuration": Fields{}, "enabled": true,
			"messages_ttl": 86400, "name": []string{"north gate", "south gate", "yard"}[i], "protocol_id": 1}})
		w.demo("storage/containers", Item{ID: 5126 + i, Fields: Fields{"flags": 0,
			"name": []string{"archive", "alarms", "reports"}[i]}})
		w.demo("storage/abques", Item{ID: 7756 + i, Fields: Fields{"flags": 0,
			"name": []string{"inbox", "outbox", "retry"}[i]}})
	}
	w.demo("gw/devices", demoDevice(101, DemoFleet, "truck-1"))
	w.demo("gw/devices", demoDevice(102, DemoFleet, "truck-2"))
	w.demo("gw/devices", demoDevice(103, DemoFleet, "car-1"))
	w.demo("gw/devices", demoDevice(201, DemoDepot, "forklift-1"))
	w.demo("gw/devices", demoDevice(202, DemoDepot, "forklift-2"))
	w.demo("gw/groups", Item{ID: 12, CID: DemoFleet, Fields: Fields{"name": "trucks"}})
	w.demo("gw/calcs", Item{ID: 21, CID: DemoFleet, Fields: Fields{"name": "trips", "update_period": 86400}})
	w.Link("gw/groups", 12, "devices", 101, 102)
	w.Link("gw/calcs", 21, "devices", 101, 102, 103)
	for i := range 3 {
		if err := w.Post("gw/devices", 101, Fields{"device.id": 101, "ident": demoIdent, "position.latitude": 54.68,
			"position.longitude": 25.27, "timestamp": firstTime + 60*i}); err != nil {
			panic(err)
		}
	}
	return w
}

// demo adds what cannot fail, as the ids are fresh and the fields plain; the operator owns what
// names no account.
func (w *World) demo(uri string, it Item) {
	if it.CID == 0 {
		it.CID = DemoOperator
	}
	if err := w.Add(uri, it); err != nil {
		panic(err)
	}
}

const demoIdent = "352625333222111"

func demoDevice(id, cid int64, name string) Item {
	const seen = 1706905852
	return Item{
		ID: id, CID: cid,
		Fields: Fields{"configuration": Fields{"ident": demoIdent}, "device_type_id": 42,
			"enabled": true, "messages_ttl": 31536000, "name": name, "protocol_id": 13},
		Telemetry: Fields{
			"ident":              Fields{"ts": seen, "value": demoIdent},
			"position.altitude":  Fields{"ts": seen, "value": 412.1},
			"position.latitude":  Fields{"ts": seen, "value": 54.687155},
			"position.longitude": Fields{"ts": seen, "value": 25.279652},
		},
		Settings: Fields{"backend_server": Fields{"address": "gw.example", "port": 21000}},
	}
}
