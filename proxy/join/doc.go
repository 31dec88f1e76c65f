// Package join makes one answer of several while they stream through: what was asked for in shards,
// because its ids did not fit one request, is answered as if it had been asked for at once (SPEC
// 4.5).
//
// The answer to a shard is a JSON object. Of its outermost level, which package jsonscan follows,
// two members count, whatever their order: the elements of the array result, called rows here, and
// those of the array errors. All rows of all shards, in order, become the rows of the joined
// answer, followed by all errors:
//
//	{"result":[…],"errors":[…]}
//
// Keys are compared after unescaping; other members are skipped, because nobody can say what they
// would mean for the whole. Rows and errors pass byte for byte, less the white space between them;
// of their inside only strings, escapes and brackets are followed.
//
// A shard may turn out to be broken when some of its rows are sent. So rows go out whole: an
// incomplete one is held until its end, and what a broken shard leaves is whole rows. Only a row
// longer than MaxHeld goes out before its end is known; if the shard breaks in it, that partial row
// stays in the answer, and all that is left to do is to end it visibly.
//
// Memory is bounded: one row up to MaxHeld, and errors up to MaxErrors, because they come last.
// Errors beyond that are counted, not kept.
package join
