// Package body reads the JSON of a request: its body, or the value of its data parameter (SPEC 2,
// Body).
//
// A body passes through the gateway as it came, so the gateway and the backend both read it, with
// two parsers. Wherever JSON leaves a parser a choice, two parsers choose differently, and the
// difference is a way around the judgement on cid and id. Therefore a text with such a choice in it
// is refused whole:
//
//   - it is nothing, null, one object or an array of objects;
//   - it is valid UTF-8 without byte order mark and follows the grammar of RFC
//     8259 to the letter: no NaN, comment, trailing comma or leading zero;
//   - no object, at any depth, has a key twice, compared after unescaping
//     (one parser keeps the first, another the last: CVE-2017-12635);
//   - no key holds a control character, written raw or as an escape (a parser
//     in C ends the key at a NUL);
//   - no escape is a lone surrogate (each parser replaces it in its own way);
//   - it is at most [MaxDepth] deep, so no parser's stack is at stake;
//   - nothing but white space follows it.
//
// The grammar, UTF-8 and escapes are those of package jsontext; the rest is here. Check is the
// rule. Elements, TopKeys and AppendWithCID walk a text that Check has passed; on other texts they
// neither panic nor loop, but what they say means nothing.
//
// A text with several faults is refused for the one that is met first; a duplicate key is met where
// its object ends, bad UTF-8 before all others.
//
// Errors hold a reason from a fixed set and an offset, never a byte of the client's.
package body
