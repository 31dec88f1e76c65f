// Package isolation proves that no caller reaches an item of others, and that none is kept from
// their own.
//
// A generated world (accounts, items, links, tokens of every kind) is behind a real gateway, a
// child process that runs `serve` with scope.mode ids, both or header. An oracle that knows the
// whole world says of every request which items it may touch. It is written from the contract with
// maps and loops and shares no code with package policy, so that the two can only agree by being
// right.
//
// Of every request three things are judged: what reached the backend (it keeps a ledger, and every
// request carries a mark through the gateway), what the client was shown, and whether anything that
// was asked for and is permitted is missing. Foreign and missing ids must get the same bytes.
//
// The tests play a small world. With -full they play the large one, with -heavy they measure how
// requests fare while a large index is read again; neither is asserted, the figures are printed.
package isolation
