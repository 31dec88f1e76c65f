package strict

// SchemaDraft is the dialect of JSON Schema in which files are described, one that editors know.
const SchemaDraft = "https://json-schema.org/draft/2020-12/schema"

// Forms of values for JSON Schema, as patterns of ECMA 262. They are as strict as a pattern can be:
// what a reader takes fits its pattern, and the reader judges the rest.
const (
	SizePattern     = `^[0-9]+(KiB|MiB|GiB|TiB)?$`                                               // Bytes
	DurationPattern = `^(0|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`                // Duration
	RatePattern     = `^(0|[1-9][0-9]*/[sm])$`                                                   // ReadRate
	AddressPattern  = `^[^/]*:[0-9]*$`                                                           // host:port
	IDPattern       = `^[1-9][0-9]*$`                                                            // ID
	KeyPattern      = `^[A-Za-z0-9._~-]{8,256}$`                                                 // Key
	MomentPattern   = `^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(Z|[+-][0-9]{2}:[0-9]{2}))$` // Unix
)
