// Package join makes one answer of several while they stream through: what was
// asked for in parts, because its ids did not fit one request, is answered as
// if it had been asked for at once (SPEC 4.5).
//
// Every part is a JSON object. Of its outermost level, which package outline
// follows, two members count, whatever their order: the elements of the array
// result, called rows here, and those of the array errors. All rows of all
// parts, in order, become the rows of the joined answer, and behind them stand
// all errors:
//
//	{"result":[…],"errors":[…]}
//
// Keys are compared after unescaping; other members are read over and dropped,
// because nobody can say what they would mean for the whole. Rows and errors
// pass byte for byte, less the white space between them; of their inside only
// strings, escapes and brackets are followed.
//
// A part may turn out to be broken when some of its rows are sent. So rows go
// out whole: an incomplete one is held until its end, and what a broken part
// leaves behind is whole rows. Only a row longer than MaxHeld goes out before
// its end is known; if the part breaks in it, the answer is torn, and all that
// is left to do is to end it visibly.
//
// Memory is bounded: one row up to MaxHeld, and errors up to MaxErrors, because
// they stand last. Errors beyond that are counted, not kept.
package join
