package store

// Missing is a question: which of some items the backend lists, and its answer.
type Missing struct {
	Collection string     `json:"collection"` // such as gw/devices
	Runs       [][2]int64 `json:"runs"`       // ids, each run with its first and its last

	Read    bool    `json:"read"`    // the collection was read; false: nothing is known
	Unknown int64   `json:"unknown"` // how many of them the last reading did not have
	First   []int64 `json:"first"`   // some of them, ascending in each run
}
