package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"

	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy/record"
)

// platformAnswer is what the administration API answers the operator.
type platformAnswer struct {
	Errors   []struct{ Reason string }
	Result   []json.RawMessage
	Warnings []struct{ Reason string }
	Heard    *struct { // of ?wait=true
		All      bool
		Replicas []struct {
			Name    string
			Applied bool
		}
	}
}

// platform calls the administration API of the running gateway. Warnings, and gateways that were not
// heard of, are printed; what was refused is an error.
func (e *env) platform(ctx context.Context, method, path string, body []byte) (*platformAnswer, error) {
	status, text, err := e.askPlatform(ctx, method, "/platform/"+path, body)
	if err != nil {
		return nil, err
	}
	var a platformAnswer
	if status != http.StatusOK {
		return nil, failed(errors.New(e.inCommands(reasons(text))))
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return nil, failed(fmt.Errorf("the admin listener answered what is no answer: %w", err))
	}
	for _, w := range a.Warnings {
		fmt.Fprintln(e.stderr, "warning: "+w.Reason)
	}
	if len(a.Errors) > 0 {
		return nil, failed(errors.New(e.inCommands(reasons(text))))
	}
	return &a, e.heard(&a)
}

// askPlatform asks the running gateway, or with --offline the database itself.
func (e *env) askPlatform(ctx context.Context, method, path string, body []byte) (status int, text string, err error) {
	if e.offline {
		return e.askDatabase(ctx, method, path, body)
	}
	s, err := e.loadSettings()
	switch {
	case err != nil:
		return 0, "", err
	case !s.Admin.Token.IsSet() && s.Store.Kind == config.StoreFile:
		return 0, "", failed(fmt.Errorf("this needs admin.token_file in the settings: the administration of the gateway is behind it; "+
			"without it, read %s, where the records stand, and \"aclgate token list\"", s.Store.Path.Text))
	case !s.Admin.Token.IsSet():
		return 0, "", failed(errors.New("this needs admin.token_file in the settings: the administration of the gateway is behind it; or say --offline"))
	}
	status, text, err = e.askAdmin(ctx, s, method, path, body)
	return status, text, failed(err)
}

// deniedRecord is the one answer for a record that is not there and for one that is not the caller's.
var deniedRecord = regexp.MustCompile(`access denied to '/([a-z_]+)s/([0-9]+)'`)

// inCommands returns a reason of the API in the words of the commands. The operator is above all
// accounts: what is denied to them is not there, or not where it was named.
func (e *env) inCommands(reason string) string {
	reason = deniedRecord.ReplaceAllStringFunc(reason, func(denied string) string {
		m := deniedRecord.FindStringSubmatch(denied)
		word := strings.TrimPrefix(m[1], "sub")
		if word == "account" {
			return "there is no account " + m[2] + ": " + e.howAccount()
		}
		return fmt.Sprintf("there is no %s %s: aclgate %s list shows those that are there", word, m[2], word)
	})
	return strings.ReplaceAll(reason, "items=release", "--release")
}

// howAccount says which accounts there are, and how another one comes to be.
func (e *env) howAccount() string {
	const list = "aclgate account list shows those that are there, and "
	s, faults := config.Load(e.file)
	switch {
	case faults.Err() == nil && s.Scope.Accounts == config.AccountsBackend:
		return "accounts are the backend's (scope.accounts: backend), which are read every scope.refresh"
	case faults.Err() == nil && s.Scope.Owners != config.OwnersStore:
		return list + "an import makes another one: aclgate store import --help"
	}
	return list + "aclgate account new --parent ID --name NAME makes another one"
}

// heard says which gateways obey a change, and which were not heard of.
func (e *env) heard(a *platformAnswer) error {
	if a.Heard == nil {
		return nil
	}
	if a.Heard.All && len(a.Heard.Replicas) == 0 {
		fmt.Fprintln(e.stderr, "the gateway that was asked obeys: its database knows of no other")
	}
	for _, r := range a.Heard.Replicas {
		if r.Applied {
			fmt.Fprintf(e.stderr, "%s obeys\n", r.Name)
		} else {
			fmt.Fprintf(e.stderr, "%s was not heard of: its lease has run out, so that it serves nobody\n", r.Name)
		}
	}
	if !a.Heard.All {
		return &exitError{code: exitFailed}
	}
	return nil
}

// pageRows is how many rows are asked for at a time.
const pageRows = 1000

// rows returns all rows of a collection, page by page.
func (e *env) rows(ctx context.Context, collection, selector string, query url.Values) (all []json.RawMessage, err error) {
	for {
		query.Set("limit", strconv.Itoa(pageRows))
		query.Set("offset", strconv.Itoa(len(all)))
		a, err := e.platform(ctx, http.MethodGet, collection+"/"+url.PathEscape(selector)+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		all = append(all, a.Result...)
		if len(a.Result) < pageRows {
			return all, nil
		}
	}
}

// recordPath returns the path of one record. what is its kind, for messages.
func recordPath(collection, what, id string, wait bool) (string, error) {
	if _, ok := strict.ParseID(id); !ok {
		return "", fmt.Errorf("expected the id of %s, a number from 1 on, found %q", what, id)
	}
	path := collection + "/" + id
	if wait {
		path += "?wait=true"
	}
	return path, nil
}

// written ends with an error where records stand in a policy file.
func (e *env) written() error {
	s, err := e.loadSettings()
	if err == nil && s.Store.Kind == config.StoreFile {
		err = failed(errors.New("store.kind is file: edit " + s.Store.Path.Text + ", which the gateway reads again within two seconds"))
	}
	return err
}

// recordAt returns one record with all that can be read of it.
func (e *env) recordAt(ctx context.Context, path string, kind *record.Kind) (json.RawMessage, error) {
	names := kind.Names(func(f *record.Field) bool { return f.Readable() && !f.Has(record.Secret) })
	a, err := e.platform(ctx, http.MethodGet, path+"?fields="+strings.Join(names, ","), nil)
	if err != nil {
		return nil, err
	}
	return a.Result[0], nil
}

// showRecord prints what recordAt returns.
func (e *env) showRecord(ctx context.Context, path string, kind *record.Kind) error {
	text, err := e.recordAt(ctx, path, kind)
	if err != nil {
		return err
	}
	return e.printJSON(text)
}

// printRows prints rows as JSON, one a line, or as a table with these columns.
func (e *env) printRows(rows []json.RawMessage, output outputFlag, columns []column) error {
	if output == outputJSON {
		for _, row := range rows {
			fmt.Fprintf(e.stdout, "%s\n", row)
		}
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		fmt.Fprintf(w, "%s\t", c.title)
	}
	fmt.Fprintln(w)
	for _, text := range rows {
		var row map[string]any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			return failed(err)
		}
		for _, c := range columns {
			fmt.Fprintf(w, "%s\t", c.show(row))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// column is one column of a table.
type column struct {
	title string
	show  func(row map[string]any) string
}

// field returns a column with one field as it is; what is empty, none or unlimited is a dash.
func field(title, name string) column {
	return column{title, func(row map[string]any) string {
		switch v := row[name].(type) {
		case nil:
			return "-"
		case string:
			if v == "" {
				return "-"
			}
			return printable(v)
		default:
			return fmt.Sprint(v)
		}
	}}
}

// printable returns a text that moves no terminal: the API has none else, a policy file may.
func printable(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return quoted[1 : len(quoted)-1]
}

func number(row map[string]any, name string) int64 {
	n, _ := row[name].(json.Number)
	v, _ := n.Int64()
	return v
}
