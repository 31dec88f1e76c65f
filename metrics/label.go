package metrics

import (
	"slices"
	"strconv"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// Label values have numbers, which are their place in the list. Number 0 of every list is where
// whatever does not belong is counted.

// Results of Reloads.
const (
	Failed = iota
	Succeeded
)

// What SilentFault is about.
const (
	FaultListenTLS = iota
	FaultUpstreamTLS
	FaultUpstreamNames
	FaultKeys
	FaultUses
	FaultMQTTTLS
)

// Ways in which the MQTT broker fails, of MQTTUpstreamFailures.
const (
	BrokerBroken = iota
	BrokerDown
	BrokerSlow
	BrokerCredential
	BrokerRefused
	BrokerVersion
)

// Directions of MQTT's packets, as clients see the gateway.
const (
	In = iota
	Out
)

// statuses are the statuses that have a series of their own in Responses and HeadFaults: those that
// the gateway answers, and those that an API backend can be expected to answer. The rest is folded
// into its class.
var statuses = [...]int{
	200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308,
	400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 429, 431,
	500, 501, 502, 503, 504, 505, 507, 508,
}

func classes() []string { return []string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} }

func codes() []string {
	all := classes()
	for _, s := range statuses {
		all = append(all, strconv.Itoa(s))
	}
	return all
}

// class returns the number of a status's class, 0 for what is no status: a client that went away
// was answered nothing.
func class(status int) int {
	if status < 100 || status > 599 {
		return 0
	}
	return status / 100
}

// codeOf holds the number of each status as a code.
var codeOf = makeCodes()

func makeCodes() (all [600]uint8) {
	for status := range all {
		all[status] = uint8(class(status))
		if i, found := slices.BinarySearch(statuses[:], status); found {
			all[status] = uint8(len(classes()) + i)
		}
	}
	return all
}

// code returns the number of a status as a code.
func code(status int) int {
	if uint(status) >= uint(len(codeOf)) {
		return 0
	}
	return int(codeOf[status])
}

// methods returns the values of the label method, in the order of policy.Method, whose zero value
// is none of the five.
func methods() []string {
	all := []string{"other"}
	for m := policy.GET; m.String() != ""; m++ {
		all = append(all, m.String())
	}
	return all
}

// verdicts are those that a request can end in, in the order of their numbers; number 0 is deny, as
// it has to be.
func verdicts() []string {
	var all []string
	for _, v := range policy.Verdicts() {
		all = append(all, v.String())
	}
	return all
}

// verdict returns the number of a verdict. One that is no end denied.
func verdict(v policy.Verdict) int {
	switch v {
	case policy.Narrow:
		return 1
	case policy.Allow:
		return 2
	}
	return 0
}

// outcomes are the verdicts of a policy that is not enforced, in the order of policy.Verdict. The
// backend is not asked for them, so that one may stay unresolved.
func outcomes() []string {
	return []string{policy.Deny.String(), policy.Unresolved.String(), policy.Narrow.String(), policy.Allow.String()}
}

// packetTypes are the types of MQTT's packets, in the order of their numbers.
func packetTypes() []string {
	return []string{
		"other", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback", "unsubscribe",
		"unsuback", "pingreq", "pingresp", "disconnect", "auth",
	}
}

func reasons() []string {
	var all []string
	for _, r := range policy.Reasons() {
		all = append(all, r.String())
	}
	return all
}

func collections(cat *policy.Catalogue) []string {
	all := []string{"unknown"}
	for _, c := range cat.Collections {
		all = append(all, c.URI)
	}
	return all
}

// closedSets returns the values of every label that is counted here, by the label's name.
func closedSets(cat *policy.Catalogue) map[string][]string {
	return map[string][]string{
		"method": methods(), "collection": collections(cat), "class": classes(), "code": codes(),
		"verdict": verdicts(), "enforced": verdicts(), "would": outcomes(), "shadow": outcomes(), "reason": reasons(), "result": {"failed", "succeeded"},
		"what":   {"listen-tls", "upstream-tls", "upstream-names", "keys", "uses", "mqtt-tls"},
		"fault":  {"broken", "down", "slow", "credential", "refused", "version"},
		"action": record.Actions(), "direction": {"in", "out"}, "path": record.Paths(), "type": packetTypes(),
	}
}
