package wire

import "fmt"

// Reason is a reason code of MQTT 5, or in CONNACK of 3.x a return code.
type Reason uint8

// The reason codes.
const (
	Success                Reason = 0x00
	DisconnectWithWill     Reason = 0x04
	NoMatchingSubscribers  Reason = 0x10
	NoSubscriptionExisted  Reason = 0x11
	ContinueAuthentication Reason = 0x18
	ReAuthenticate         Reason = 0x19
	Unspecified            Reason = 0x80
	Malformed              Reason = 0x81
	ProtocolError          Reason = 0x82
	ImplementationError    Reason = 0x83
	UnsupportedVersion     Reason = 0x84
	ClientIDNotValid       Reason = 0x85
	BadUserNameOrPassword  Reason = 0x86
	NotAuthorized          Reason = 0x87
	ServerUnavailable      Reason = 0x88
	ServerBusy             Reason = 0x89
	Banned                 Reason = 0x8A
	ServerShuttingDown     Reason = 0x8B
	BadAuthMethod          Reason = 0x8C
	KeepAliveTimeout       Reason = 0x8D
	SessionTakenOver       Reason = 0x8E
	FilterInvalid          Reason = 0x8F
	TopicInvalid           Reason = 0x90
	IDInUse                Reason = 0x91
	IDNotFound             Reason = 0x92
	ReceiveMaxExceeded     Reason = 0x93
	AliasInvalid           Reason = 0x94
	PacketTooLarge         Reason = 0x95
	MessageRateTooHigh     Reason = 0x96
	QuotaExceeded          Reason = 0x97
	Administrative         Reason = 0x98
	PayloadFormatInvalid   Reason = 0x99
	RetainNotSupported     Reason = 0x9A
	QoSNotSupported        Reason = 0x9B
	UseAnotherServer       Reason = 0x9C
	ServerMoved            Reason = 0x9D
	SharedNotSupported     Reason = 0x9E
	ConnectRateExceeded    Reason = 0x9F
	MaximumConnectTime     Reason = 0xA0
	IDsNotSupported        Reason = 0xA1
	WildcardsNotSupported  Reason = 0xA2
)

// Failed reports whether the code is an error.
func (r Reason) Failed() bool { return r >= 0x80 }

// String returns the code as it is written in the standard.
func (r Reason) String() string { return fmt.Sprintf("0x%02X", uint8(r)) }

// knownReasons says which codes a packet of MQTT 5 may carry. DISCONNECT is here as a server may
// send it; 0x00 from a server is in no row of the standard but is what an empty packet means.
var knownReasons = [16]string{
	CONNACK:    "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8c\x90\x95\x97\x99\x9a\x9b\x9c\x9d\x9f",
	PUBACK:     "\x00\x10\x80\x83\x87\x90\x91\x97\x99",
	PUBREC:     "\x00\x10\x80\x83\x87\x90\x91\x97\x99",
	PUBREL:     "\x00\x92",
	PUBCOMP:    "\x00\x92",
	SUBACK:     "\x00\x01\x02\x80\x83\x87\x8f\x91\x97\x9e\xa1\xa2",
	UNSUBACK:   "\x00\x11\x80\x83\x87\x8f\x91",
	DISCONNECT: "\x00\x80\x81\x82\x83\x87\x89\x8b\x8d\x8e\x8f\x90\x93\x94\x95\x96\x97\x98\x99\x9a\x9b\x9c\x9d\x9e\x9f\xa0\xa1\xa2",
	AUTH:       "\x00\x18",
}

// knownFromClient replaces the rows above for what a client sends.
var knownFromClient = [16]string{
	DISCONNECT: "\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99",
	AUTH:       "\x18\x19",
}

// knows reports whether a packet of this type from this side may carry the code.
func (t Type) knows(r Reason, s Sender) bool {
	row := knownReasons[t]
	if s == Client && knownFromClient[t] != "" {
		row = knownFromClient[t]
	}
	for i := range len(row) {
		if row[i] == byte(r) {
			return true
		}
	}
	return false
}

// ConnackCode returns the code with which CONNACK says r in version v: itself in 5, the return
// code in 3.x (SPEC 16.5).
func ConnackCode(r Reason, v Version) Reason {
	if v == V5 || r == Success {
		return r
	}
	switch r {
	case UnsupportedVersion:
		return 1
	case ClientIDNotValid:
		return 2
	case Unspecified, ServerUnavailable, ServerBusy, ServerShuttingDown, QuotaExceeded, ConnectRateExceeded,
		UseAnotherServer, ServerMoved:
		return 3
	}
	return 5
}

// SubackCode returns the code with which SUBACK says r in version v: in 3.x every failure is 0x80.
func SubackCode(r Reason, v Version) Reason {
	if v != V5 && r.Failed() {
		return Unspecified
	}
	return r
}

// Fault is why a packet is not taken. The connection it came over has to end.
type Fault struct {
	Reason Reason // for DISCONNECT, where the version has reasons
	Text   string // what is wrong; it holds nothing of the packet
}

// Error returns the text.
func (f *Fault) Error() string { return "mqtt: " + f.Text }
