// Package stub is the cheapest backend that still lets an oracle check who got what. It reads a
// request, finds the device selector, which is the path's segment after "devices", and answers 300
// bytes of JSON that repeat it:
//
//	up to 8 ids   {"result":[{"id":7},{"id":9,"pad":"…"}]}   one row per id, in the order asked
//	more          {"result":[{"ids":5000,"sum":"9f86d081884c7d65","pad":"…"}]}   their number and the Sum of the list
//	no id list    {"result":[{"selector":"all","pad":"…"}]}
//	with offset=  {"result":[{"id":1000000},…]}   a page of up to 1,000 of the Listed items, which a gateway's index reads
//
// A path that ends in "messages" is answered with 16 KiB. Whatever else a request says, its
// credential and its body too, is skipped. So an answer shows which ids reached the backend, and
// nothing about them depends on the code under test.
//
// One thread serves all connections (see package sys). Nothing is allocated per request but the
// room for a request that did not come in one piece.
package stub

import (
	"bytes"
	"math/bits"
	"strconv"
)

const (
	// BodyLen is the length of an answer, longer only where the ids need more.
	BodyLen = 300
	// MessagesLen is the length of an answer of messages.
	MessagesLen = 16 << 10
	// maxRows is how many ids get a row of their own.
	maxRows = 8
	// FirstListed is the id of the first item that listings show; Listed is how many there are.
	FirstListed = 1_000_000
	Listed      = 120_000
	// page is how many rows an answer of a listing has at most.
	page = 1000
)

// Sum returns 64 bits over b. It is fast and nothing more: b must not come from anyone who wants a
// collision.
func Sum(b []byte) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xe7037ed1a0b428db
	sum := uint64(len(b)) * k0
	for len(b) >= 16 {
		hi, lo := bits.Mul64(word(b)^k1^sum, word(b[8:])^k0)
		sum = hi ^ lo
		b = b[16:]
	}
	var last [16]byte
	copy(last[:], b)
	hi, lo := bits.Mul64(word(last[:])^k1^sum, word(last[8:])^k0)
	return hi ^ lo
}

// word reads 8 bytes, little end first. The compiler makes one load of it.
func word(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// AppendSum appends Sum(list) as 16 hexadecimal digits.
func AppendSum(dst, list []byte) []byte {
	const digits = "0123456789abcdef"
	sum := Sum(list)
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[sum>>shift&15])
	}
	return dst
}

// appendBody appends the answer to a request for target.
func appendBody(dst, target []byte) []byte {
	if _, offset, listing := bytes.Cut(target, []byte("offset=")); listing {
		return appendPage(dst, offset)
	}
	selector, messages := split(target)
	start, want := len(dst), BodyLen
	if messages {
		want = MessagesLen
	}
	dst = append(dst, `{"result":[{`...)
	dst = appendRows(dst, selector)
	dst = append(dst, `,"pad":"`...)
	const end = `"}]}`
	for missing := want - len(end) - (len(dst) - start); missing > 0; missing = want - len(end) - (len(dst) - start) {
		dst = append(dst, padding[:min(missing, len(padding))]...)
	}
	return append(dst, end...)
}

// appendPage appends the rows of a listing from an offset on, which digits begin with.
func appendPage(dst, digits []byte) []byte {
	at := 0
	for _, c := range digits {
		if c < '0' || c > '9' || at > Listed {
			break
		}
		at = 10*at + int(c-'0')
	}
	dst = append(dst, `{"result":[`...)
	for i := at; i < min(at+page, Listed); i++ {
		if i > at {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"id":`...)
		dst = append(strconv.AppendInt(dst, FirstListed+int64(i), 10), '}')
	}
	return append(dst, `]}`...)
}

// padding is what fills answers up.
const padding = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-." +
	"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-." +
	"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-." +
	"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-."

// appendRows appends the members of the rows, the last one left open.
func appendRows(dst, selector []byte) []byte {
	n := countIDs(selector)
	switch {
	case n == 0:
		dst = append(dst, `"selector":"`...)
		for _, c := range selector {
			if c > ' ' && c < 0x7f && c != '"' && c != '\\' {
				dst = append(dst, c)
			}
		}
		return append(dst, '"')
	case n > maxRows:
		dst = append(dst, `"ids":`...)
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(dst, `,"sum":"`...)
		return append(AppendSum(dst, selector), '"')
	}
	dst = append(dst, `"id":`...)
	for _, c := range selector {
		if c == ',' {
			dst = append(dst, `},{"id":`...)
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// longList is where looking at each byte would cost more than the rest of an answer. What is no
// list and as long as that has a sum that nobody expects.
const longList = 1 << 10

// countIDs returns how many ids a list holds, 0 if it is none.
func countIDs(selector []byte) int {
	if len(selector) > longList {
		return bytes.Count(selector, []byte(",")) + 1
	}
	n, digits := 1, 0
	for _, c := range selector {
		switch {
		case c == ',' && digits > 0:
			n, digits = n+1, 0
		case c >= '0' && c <= '9':
			digits++
		default:
			return 0
		}
	}
	if digits == 0 {
		return 0
	}
	return n
}
