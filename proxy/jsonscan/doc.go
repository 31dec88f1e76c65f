// Package jsonscan follows the outermost level of a JSON object while its text streams through:
// which key is read, where its value begins and ends, where the elements of a named array are,
// where the object ends. Whoever adds to a backend's answer or takes parts out of it decides by
// this alone what is the answer and what is content, so there is one reader for all of them (SPEC
// 4.5; SPEC 5, Merging denied items).
//
// Nothing is decoded, and none of the text is kept but the few characters of a key that can matter.
// What is between the values, braces, keys, colons and commas, must be JSON. Of a value only the
// end is found: quotes and escapes of its strings are followed, and which bracket closes which. A
// value can thus be broken inside, and still nothing in it can pass for the level above.
//
// The text comes in pieces of any length, and the same is found in it however it is cut.
package jsonscan
