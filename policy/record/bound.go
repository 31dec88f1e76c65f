package record

// Counted says who counts what a bound bounds, and where an excess is refused (SPEC 12).
type Counted uint8

// The ways.
const (
	Stored  Counted = iota // stored and shown; not enforced here
	Rate                   // per platform.limit_window
	Records                // records of the gateway: exact, in the transaction
	Items                  // items of the backend, by the index
)

// BoundRow is one bound of a limit, by the vendor's name.
type BoundRow struct {
	Name    string
	Counted Counted
	Of      string // of Records the word of the kind, of Items the collection
}

// Says returns the meaning of the bound, for the reference.
func (b BoundRow) Says() string {
	switch b.Counted {
	case Rate:
		return "per minute; -1: bounded by the accounts above alone"
	case Records:
		return "how many " + b.Of + " the branch may hold; -1: bounded by the accounts above alone"
	case Items:
		return "how many items of " + b.Of + " the branch may hold; -1: bounded by the accounts above alone"
	}
	return "stored and shown; not enforced here"
}

// bounds are flespi's 41.
var bounds = []BoundRow{
	{"api_calls", Rate, ""},
	{"api_traffic", Rate, ""},
	{"calcs_count", Items, "gw/calcs"},
	{"calcs_storage", Stored, ""},
	{"cdn_storage", Stored, ""},
	{"cdn_traffic", Stored, ""},
	{"cdns_count", Items, "storage/cdns"},
	{"channel_connections", Stored, ""},
	{"channel_messages", Stored, ""},
	{"channel_storage", Stored, ""},
	{"channel_traffic", Stored, ""},
	{"channels_count", Items, "gw/channels"},
	{"container_storage", Stored, ""},
	{"containers_count", Items, "storage/containers"},
	{"device_media_storage", Stored, ""},
	{"device_media_traffic", Stored, ""},
	{"device_storage", Stored, ""},
	{"devices_count", Items, "gw/devices"},
	{"grants_count", Records, "grants"},
	{"groups_count", Items, "gw/groups"},
	{"identity_providers_count", Stored, ""},
	{"limits_count", Records, "limits"},
	{"modems_count", Items, "gw/modems"},
	{"mqtt_messages", Stored, ""},
	{"mqtt_retained_storage", Stored, ""},
	{"mqtt_session_storage", Stored, ""},
	{"mqtt_sessions", Stored, ""},
	{"mqtt_subscriptions", Stored, ""},
	{"plugin_buffered_messages", Stored, ""},
	{"plugin_traffic", Stored, ""},
	{"plugins_count", Items, "gw/plugins"},
	{"realms_count", Records, "realms"},
	{"sms_count", Stored, ""},
	{"stream_storage", Stored, ""},
	{"stream_traffic", Stored, ""},
	{"streams_count", Items, "gw/streams"},
	{"subaccounts_count", Records, "subaccounts"},
	{"tokens_count", Records, "tokens"},
	{"webhook_storage", Stored, ""},
	{"webhook_traffic", Stored, ""},
	{"webhooks_count", Items, "platform/webhooks"},
}

// Bounds returns the bounds of limits, ascending by name. It must not be changed.
func Bounds() []BoundRow { return bounds }

// BoundNumber returns the position of a bound in Bounds.
func BoundNumber(name string) (n int, found bool) {
	for i := range bounds {
		if bounds[i].Name == name {
			return i, true
		}
	}
	return 0, false
}
