package strict

import "strings"

// maxWord bounds the words that are compared: the distance costs the product of two lengths, and a
// word this long is no slip of the pen.
const maxWord = 64

// Nearest returns the known word that word was probably meant to be, for messages, and whether
// there is one: the same in another case, a beginning of it, or few slips (a letter more, less,
// other, or two swapped) away. Of equally near ones the first is returned.
func Nearest(word string, known []string) (string, bool) {
	if word == "" || len(word) > maxWord {
		return "", false
	}
	best, least := "", 1+len(word)/4
	found := false
	for _, k := range known {
		if len(k) > maxWord {
			continue
		}
		if d := slips(word, k); d < least || d == least && !found {
			best, least, found = k, d, true
		}
	}
	return best, found
}

// slips counts the slips between two words; a beginning of at least three letters counts as one.
func slips(word, known string) int {
	a, b := strings.ToLower(word), strings.ToLower(known)
	if a == b {
		return 0
	}
	if min(len(a), len(b)) >= 3 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		return 1
	}
	return distance(a, b)
}

// distance is the optimal string alignment distance: Levenshtein's with neighbours swapped as one
// edit, because that is the commonest slip of all ("shcema"). Only three rows are kept.
func distance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}

// didYouMean returns the end of a message that names the known word nearest to word, or "".
func didYouMean(word string, known []string) string {
	near, ok := Nearest(word, known)
	if !ok || near == word {
		return ""
	}
	return ": did you mean \"" + near + "\"?"
}
