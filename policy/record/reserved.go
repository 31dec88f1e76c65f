package record

// The types of realms, users and roles.

func readHome(v Value) (Value, *Fault) {
	return objectOf(v, part{"type", true, wholeUpTo(0, 2)}, part{"subaccount_id", false, readID}, part{"limit_id", false, readID})
}

func readTokenParams(v Value) (Value, *Fault) {
	return objectOf(v, part{"access", false, readAccess}, part{"ttl", false, wholeUpTo(0, maxSeconds)},
		part{"ips", false, readIPs}, part{"origins", false, readOrigins})
}

func readPlatformRights(v Value) (Value, *Fault) {
	return listOf(v, func(v Value) (Value, *Fault) {
		return objectOf(v, part{"uri", true, readURI}, part{"methods", true, readMethods})
	})
}
