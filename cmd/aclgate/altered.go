package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// word is what one record of the kind is called.
func (k *recordKind) word() string {
	_, word, _ := strings.Cut(k.name, " ")
	return word
}

// named names a record by its kind, its id and, where it has one, its name.
func (k *recordKind) named(row json.RawMessage) string {
	var of struct {
		ID         int64
		Name, Info string // tokens have an info
	}
	if json.Unmarshal(row, &of) != nil {
		return k.name // the gateway answered no row of this kind
	}
	return namedRecord(k.word(), of.ID, of.Name+of.Info)
}

// namedRecord names a record: account 112 "ACME Fleet".
func namedRecord(word string, id int64, name string) string {
	text := word + " " + strconv.FormatInt(id, 10)
	if name != "" {
		text += " " + strconv.QuoteToGraphic(name)
	}
	return text
}

// nameFields are the fields by which named names a record.
func (k *recordKind) nameFields() string {
	if k == &tokenKind {
		return "id,info"
	}
	return "id,name"
}

// alter changes or deletes the record that a path names, and says in a line what was done to which one. It
// says so, too, where a gateway was not heard of, which is an error: it is done nevertheless.
func (e *env) alter(ctx context.Context, done string, k *recordKind, method, path string, body []byte) error {
	sign := "?"
	if strings.Contains(path, "?") {
		sign = "&"
	}
	a, err := e.platform(ctx, method, path+sign+"fields="+k.nameFields(), body)
	if a != nil && len(a.Result) > 0 {
		fmt.Fprintln(e.stdout, done, k.named(a.Result[0]))
	}
	return err
}

// nameOf names the record at a path of one record. Where it cannot be asked for, which no longer
// matters to what was done, its id has to do.
func (e *env) nameOf(ctx context.Context, k *recordKind, path string) string {
	a, err := e.platform(ctx, http.MethodGet, path+"?fields="+k.nameFields(), nil)
	if err != nil || len(a.Result) == 0 {
		return k.word() + " " + path[strings.LastIndexByte(path, '/')+1:]
	}
	return k.named(a.Result[0])
}
