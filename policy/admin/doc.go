// Package admin is the law of administration (SPEC 9, 10, 12): who may make, change, delete and see
// which managed record, and what none may become by it. It is pure: a caller, the world as one
// transaction sees it, and the time go in, and nil or a fault comes out. Reading bodies and printing
// rows is policy/record's; routes, HTTP and the store are proxy/platform's.
//
// Three rules order everything here. Nobody hands out more than they hold: a token that is made or
// changed is judged as if its maker used it. Nothing above or beside is seen or named: what is not
// in scope and what does not exist are one fault. And nobody touches their own bounds: limits, roles
// and the enabled of an account are written from strictly above it.
//
// Functions return *record.Fault, nil for permitted. The zero Caller may do nothing.
package admin
