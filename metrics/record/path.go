package record

// Path says which access paths a request had beside the branch of its acting account (SPEC 11).
type Path uint8

// The paths. Branch is that alone, as most requests have.
const (
	Branch Path = iota
	Granted
	Cross // a grantor's account, in the place of the branch
)

// Paths returns the words of all paths but the branch alone, in their order.
func Paths() []string { return []string{"granted", "cross"} }

// String returns the word of the path.
func (p Path) String() string {
	if p == Branch || int(p) > len(Paths()) {
		return ""
	}
	return Paths()[p-1]
}
