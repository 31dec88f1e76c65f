// Package outline follows the outermost level of a JSON object while its text
// streams through: which key stands there, where its value begins and ends,
// where the object ends. Whoever adds to a backend's answer or takes parts out of
// it decides by this alone what is the answer and what is content, so there is
// one reader for all of them (SPEC 4.5; SPEC 5, Merging denied items).
//
// Nothing is decoded, and none of the text is kept but the few characters of a
// key that can matter. An Object reads what stands between the values: braces,
// keys, colons and commas, which must be JSON. A Value reads over one value: of
// strings it follows quotes and escapes, of objects and arrays which bracket
// closes which, and of nothing else. A value can thus be broken inside, and still
// nothing in it can pass for the level above.
//
// Both take the text in pieces of any length, and find the same in it however
// it is cut.
package outline
