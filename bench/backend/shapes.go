package backend

// shape is what differs between collections.
type shape struct {
	open      bool     // a dictionary: read only, the same for every account, no cid
	defaults  []string // fields shown without fields=, ascending; nil: all
	template  Fields   // fields that a creation has before its body is read
	submodule map[string]string
}

// GET and its friends as the submodule table writes them.
const (
	get    = "GET"
	post   = "POST"
	read   = "GET DELETE"
	write  = "GET PUT DELETE"
	full   = "GET POST DELETE"
	linked = "GET POST PUT PATCH DELETE"
)

// shapes returns the integer collections of the catalogue. It is asked when a world is built, never
// by a request.
func shapes() map[string]shape {
	all := map[string]shape{
		"gw/channel-protocols": {open: true, submodule: map[string]string{"device-types": get}},
		"gw/protocols":         {open: true, submodule: map[string]string{"device-types": get}},
		"gw/plugin-types":      {open: true, submodule: map[string]string{"changelog-posts": get}},
		"gw/stream-protocols":  {open: true, submodule: map[string]string{"changelog-posts": get}},
		"mqtt/sessions":        {submodule: map[string]string{"subscriptions": full}},
		"platform/realms": {submodule: map[string]string{"logs": "GET POST", "identity-providers": linked,
			"roles": linked, "users": linked}},
		"platform/grants":          {submodule: map[string]string{"logs": "GET POST", "subaccounts": full}},
		"platform/webhooks":        {submodule: map[string]string{"logs": "GET POST", "packets": get}},
		"platform/tokens":          tokenShape(),
		"platform/customer/tokens": tokenShape(),
	}
	for _, uri := range []string{"platform/identity-providers", "platform/limits", accountsURI} {
		all[uri] = shape{submodule: map[string]string{"logs": "GET POST"}}
	}
	gatewayShapes(all)
	storageShapes(all)
	return all
}

func tokenShape() shape {
	return shape{
		submodule: map[string]string{"logs": "GET POST"},
		template: Fields{"enabled": true, "expire": 0, "info": "", "ips": "", "ttl": 0, "access": Fields{"type": 0},
			"key": "notAKeyOnlyItsLengthIsRightxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
	}
}

func gatewayShapes(all map[string]shape) {
	all["gw/assets"] = shape{submodule: map[string]string{"intervals": "GET POST", "logs": "GET POST"}}
	all["gw/calcs"] = shape{submodule: map[string]string{"assets": linked, "devices": linked, "geofences": linked,
		"groups": linked, "logs": "GET POST"}}
	all["gw/channels"] = shape{
		template: Fields{"configuration": Fields{}, "enabled": true, "messages_ttl": 86400, "protocol_id": 0,
			"secondary_uri": "", "uri": ""},
		submodule: map[string]string{"cid": "PUT", "connections": read, "idents": get, "logs": "GET POST",
			"messages": read, "commands-queue": full, "commands-result": get},
	}
	all["gw/devices"] = shape{
		template: Fields{"configuration": Fields{}, "device_type_id": 0, "enabled": true, "media_rotate": 0,
			"media_ttl": 31536000, "messages_rotate": 0, "messages_ttl": 31536000, "protocol_id": 13},
		submodule: map[string]string{"calculate": post, "cid": "PUT", "commands": post, "commands-queue": full,
			"commands-result": get, "connections": read, "geofences": full, "logs": "GET POST", "media": linked,
			"messages": full, "packets": get, "settings": write, "sms": "GET POST", "telemetry": read, "snapshots": get},
	}
	all["gw/geofences"] = shape{submodule: map[string]string{"hittest": get, "logs": "GET POST"}}
	all["gw/groups"] = shape{submodule: map[string]string{"assets": full, "devices": full, "geofences": full,
		"logs": "GET POST"}}
	all["gw/modems"] = shape{submodule: map[string]string{"logs": "GET POST"}}
	all["gw/plugins"] = shape{submodule: map[string]string{"devices": linked, "geofences": linked, "groups": linked,
		"logs": "GET POST", "packets": get}}
	all["gw/streams"] = shape{submodule: map[string]string{"channels": full, "devices": linked, "geofences": linked,
		"groups": full, "logs": "GET POST", "messages": "POST DELETE", "packets": get}}
}

func storageShapes(all map[string]shape) {
	// The published container of 2017 has no cid among its default fields.
	plain := []string{"flags", "id", "name"}
	all["storage/containers"] = shape{defaults: plain, template: Fields{"flags": 0},
		submodule: map[string]string{"calculate": post, "logs": "GET POST", "messages": full}}
	all["storage/abques"] = shape{defaults: plain, template: Fields{"flags": 0},
		submodule: map[string]string{"logs": get, "messages": full}}
	all["storage/cdns"] = shape{submodule: map[string]string{"files": full, "logs": "GET POST"}}
}

// dictionaries returns the names of the items, numbered from 1, that every account may look up.
func dictionaries() map[string][]string {
	protocols := []string{"teltonika", "wialon-ips", "queclink"}
	return map[string][]string{
		"gw/channel-protocols": protocols,
		"gw/protocols":         protocols,
		"gw/plugin-types":      {"fields-injection", "lbs"},
		"gw/stream-protocols":  {"http", "mqtt"},
	}
}

// static returns the rows of a path that has no items, and whether the API knows that path. Only
// its first segments are looked at.
func static(segs []string) (rows string, known bool) {
	first, second := segs[0], ""
	if len(segs) > 1 {
		second = segs[1]
	}
	switch first + "/" + second {
	case "auth/info":
		return `{"access":{"type":1},"accessed":1760416212,"blocked":0,"cid":1,"created":1707335420,` +
			`"enabled":true,"expire":0,"id":1,"info":"backend","ttl":31536000}`, true
	case "auth/regions":
		return `{"default":true,"name":"backend","rest":"https://backend.invalid"}`, true
	case "platform/customer":
		return `{"id":1,"name":"backend"}`, true
	case "gw/message-parameters":
		return `{"info":"Unique identifier of the device","name":"ident","type":"string"},` +
			`{"info":"Latitude","name":"position.latitude","type":"number","unit":"degrees"}`, true
	case "platform/billing", "platform/changelog-posts", "platform/deleted", "platform/grantors", "platform/oauth",
		"mqtt/logs", "mqtt/messages", "storage/expressions", "const/values":
		return "", true
	}
	return "", first == "auth" || first == "ai" || first == "realm"
}
