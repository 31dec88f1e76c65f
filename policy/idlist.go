package policy

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
)

// Lists of thousands of ids are read and printed eight digits at a time. A word holds eight bytes
// of text, the first of them lowest.
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
	lowBits  = 0x7f * eachByte
)

// noDigits returns a word with the high bit of every byte set that is no digit, given text ^
// '0'*eachByte, which makes digits 0 to 9. The sum stays below 256 in each byte, so that none is
// mistaken because of its neighbour.
func noDigits(word uint64) uint64 { return ((word&lowBits + 0x76*eachByte) | word) & highBits }

// plainRun returns the length of a beginning of text that is nothing but digits and commas, so that
// the rest alone has to be looked at. It may be cut short.
func plainRun(text []byte) int {
	n := 0
	for ; n+8 <= len(text); n += 8 {
		word := binary.LittleEndian.Uint64(text[n:])
		comma := word ^ ','*eachByte
		commas := ^((comma&lowBits + lowBits) | comma | lowBits)
		if noDigits(word^'0'*eachByte)&^commas != 0 {
			break
		}
	}
	return n
}

// leading returns how many digits, at most eight, a word ^ '0'*eachByte begins with.
func leading(word uint64) uint { return uint(bits.TrailingZeros64(noDigits(word))) / 8 }

// upper moves the first digits of a word, at least one, to its end: zeros come in front of them,
// and what was behind them is gone.
func upper(word uint64, digits uint) uint64 { return word << ((64 - 8*digits) & 63) }

// number returns the number whose digits are the bytes of word, the last digit highest: two, four
// and eight of them become one.
func number(word uint64) uint64 {
	word = (word * (1 + 10<<8)) >> 8 & (0x00ff * (1 + 1<<16 + 1<<32 + 1<<48))
	word = (word * (1 + 100<<16)) >> 16 & (0xffff * (1 + 1<<32))
	return (word * (1 + 10000<<32)) >> 32
}

// parseIDs appends the ids of a comma list to dst. It reports whether the whole of b is such a
// list; an empty part, a sign or a zero makes it none.
func parseIDs(dst []int64, b []byte) ([]int64, bool) {
	// Most ids have as many digits as the one before. Where that is so the next one is begun before
	// this one is read.
	digits := uint(0)
	for {
		n, i := uint64(0), 0
		if len(b) > 8 {
			word := binary.LittleEndian.Uint64(b) ^ '0'*eachByte
			if b[digits] != ',' || noDigits(upper(word, digits)) != 0 {
				digits = leading(word)
			}
			n, i = number(upper(word, digits)), int(digits)
		}
		for i < len(b) && b[i]-'0' <= 9 && i < 19 {
			n = n*10 + uint64(b[i]-'0')
			i++
		}
		if i == 0 || b[0] == '0' || n > MaxID {
			return dst, false
		}
		dst = append(dst, int64(n))
		if i == len(b) {
			return dst, true
		}
		if b[i] != ',' {
			return dst, false
		}
		b = b[i+1:]
	}
}

const (
	// maxPrinted is the length of the longest id with its comma.
	maxPrinted = 20
	// atOnce is for how many ids room is made at a time.
	atOnce = 64
	// fewToPrint is how many ids are printed without looking at what they share.
	fewToPrint = 16
)

// appendIDs appends ids as a comma list.
func appendIDs(dst []byte, ids []int64) []byte {
	if len(ids) >= fewToPrint {
		return appendMany(dst, ids)
	}
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, id, 10)
	}
	return dst
}

// twoDigits are the numbers below 100 as they are printed.
var twoDigits = func() (t [100]uint16) {
	for i := range t {
		t[i] = uint16('0'+i/10) | uint16('0'+i%10)<<8
	}
	return t
}()

// appendMany is appendIDs for many: neighbours mostly differ in their last four digits alone, so
// what comes before those is printed once and copied.
func appendMany(dst []byte, ids []int64) []byte {
	var front [16]byte // of the last id, less four digits
	shared, width := uint64(0), 0
	for i, id := range ids {
		if i%atOnce == 0 {
			dst = slices.Grow(dst, (min(len(ids)-i, atOnce)+1)*maxPrinted)
		}
		high, low := uint64(id)/10000, uint32(uint64(id)%10000)
		if high == 0 {
			dst = append(strconv.AppendUint(dst, uint64(low), 10), ',')
			continue
		}
		if high != shared {
			shared, width = high, len(strconv.AppendUint(front[:0], high, 10))
		}
		room := dst[len(dst) : len(dst)+maxPrinted]
		copy(room, front[:])
		last := room[width : width+5]
		binary.LittleEndian.PutUint16(last, twoDigits[low/100])
		binary.LittleEndian.PutUint16(last[2:], twoDigits[low%100])
		last[4] = ','
		dst = dst[:len(dst)+width+5]
	}
	return dst[:len(dst)-1]
}
