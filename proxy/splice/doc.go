// Package splice adds errors to an answer while it streams through: the code-6 errors of the items
// that were denied go into the backend's answer for the others (SPEC 5, Merging denied items).
//
// The answer is a JSON object of any length, so it is not decoded. Package jsonscan follows its
// outermost level; what the values hold passes unread. Three outcomes:
//
//   - there is an array errors: the new ones go in before its closing bracket;
//   - there is none: a member errors is written before the closing brace, or,
//     where the whole answer is at hand, as the first member (Whole);
//   - the answer has a fault: it is no object (a byte order mark is none
//     either), errors is no array or comes twice, a second value follows, or
//     the outermost level, what separates the elements of errors, or the
//     brackets are no JSON. Then nothing more can be said about where errors
//     belong.
//
// All bytes of the answer pass as they are and none is held back: what Feed appends is its input
// with an insertion, and an answer cut in any other way gives the same output.
package splice
