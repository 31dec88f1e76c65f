// Package listing asks the backend for lists of rows and reads them strictly: pages of 1000 rows,
// whole or not at all, under one account or under every root.
//
// Nothing of a listing that was cut, or that two readers could read in two ways, is ever used: it
// would name other items than the backend means (SPEC 4.3).
package listing
