package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/routes"
)

func (e *env) routes() *cobra.Command {
	var export bool
	var output outputFlag
	c := &cobra.Command{
		Use:   "routes [PATH]",
		Short: "Show the routes that the gateway knows, or what a path is to it",
		Long: `Show the routes that the gateway knows: the methods they take, who may reach
them, and whose ids each {} is. With a PATH, show how it is read.

  aclgate routes /gw/devices/7/messages

With --export, print the built-in catalogue, which can be changed and named by
policy.routes_file. docs/routes.md says what its keys mean.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if export {
				_, err := e.stdout.Write(routes.Builtin())
				return err
			}
			return e.runRoutes(args, output)
		},
	}
	output.add(c)
	c.Flags().BoolVar(&export, "export", false, "print the built-in catalogue, for a policy.routes_file of your own")
	return c
}

// catalogue reads the catalogue of the settings, or the built-in one where there are no settings.
func (e *env) catalogue() (*policy.Catalogue, error) {
	s, faults := config.Load(e.file)
	if faults.Err() != nil {
		s = config.Defaults()
	}
	cat, err := routes.Load(s.Policy.RoutesFile.Path)
	if err != nil {
		return nil, badSettings(err)
	}
	return cat, nil
}

// routeLine is a route as it is printed.
type routeLine struct {
	Route     string   `json:"route"`
	Methods   string   `json:"methods"`
	Access    string   `json:"access"`    // who may reach it, in a word or two
	Selectors []string `json:"selectors"` // whose ids each {} is
}

func (e *env) runRoutes(args []string, output outputFlag) error {
	cat, err := e.catalogue()
	if err != nil {
		return err
	}
	if len(args) == 1 {
		return e.showPath(cat, args[0], output)
	}
	var lines []routeLine
	for _, c := range cat.Collections {
		for _, r := range c.Routes {
			lines = append(lines, routeLine{r.String(), r.Methods.String(), access(r), selectors(r)})
		}
	}
	if output.json() {
		return e.printJSON(lines)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTE\tMETHODS\tACCESS\tSELECTORS")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Route, l.Methods, l.Access, strings.Join(l.Selectors, ", "))
	}
	return w.Flush()
}

// access says in a word or two who may reach a route.
func access(r *policy.Route) string {
	switch {
	case r.ForAnyone():
		return "no token needed"
	case r.Local == policy.LocalInfo:
		return "every token"
	case r.Closed == policy.ByCredential:
		return "closed: credential"
	case r.Closed == policy.ByKeys:
		return "closed: keys"
	case r.Collection.MasterOnly:
		return "master"
	case r.Collection.Topics:
		return "master, standard"
	case r.Collection.Dictionary:
		return "every token"
	}
	return "by entry"
}

func selectors(r *policy.Route) []string {
	all := []string{}
	for _, c := range r.Selectors {
		switch {
		case c == nil:
			all = append(all, "local")
		case c.IDs == policy.IDInt:
			all = append(all, c.URI)
		default:
			all = append(all, c.URI+" (string)")
		}
	}
	return all
}

// pathLine is how a path is read with one method.
type pathLine struct {
	Method     string         `json:"method"`
	Route      string         `json:"route"`
	Addresses  string         `json:"addresses"`
	Collection string         `json:"collection"`
	Access     string         `json:"access"`
	Selectors  []pathSelector `json:"selectors"`
}

type pathSelector struct {
	Kind       string `json:"kind"`
	Collection string `json:"collection,omitempty"` // "": local to its parent
}

func (e *env) showPath(cat *policy.Catalogue, path string, output outputFlag) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("a path begins with / and comes without the address, such as /gw/devices/7: found %q", path)
	}
	engine := &policy.Engine{Catalogue: cat}
	var req policy.Request
	if reason := req.Parse(engine, policy.GET, []byte(path)); reason != policy.NotJudged && reason != policy.UnknownMethod {
		return failed(fmt.Errorf("%s: %s%s", reason, req.Detail, meant(cat, path)))
	}
	if req.Allow == 0 {
		return failed(fmt.Errorf("unknown-route: no route has the shape of %s%s", path, meant(cat, path)))
	}
	var lines []pathLine
	for m := policy.GET; m <= policy.DELETE; m++ {
		if req.Allow.Has(m) && req.Parse(engine, m, []byte(path)) == policy.NotJudged {
			lines = append(lines, pathLineOf(m, &req))
		}
	}
	if output.json() {
		return e.printJSON(lines)
	}
	for _, l := range lines {
		l.print(e.stdout)
	}
	return nil
}

// meant says which collection was probably meant by a path of an unknown one; "" is none.
func meant(cat *policy.Catalogue, path string) string {
	parts := strings.SplitN(strings.Trim(path, "/"), "/", 3)
	if len(parts) < 2 {
		return ""
	}
	var uris []string
	for _, c := range cat.Collections {
		uris = append(uris, c.URI)
	}
	uri := parts[0] + "/" + parts[1]
	near, found := strict.Nearest(uri, uris)
	if !found || near == uri {
		return ""
	}
	return fmt.Sprintf(": did you mean /%s?", near)
}

func pathLineOf(m policy.Method, req *policy.Request) pathLine {
	r := req.Route
	addressed := "the item"
	switch {
	case r.Slot != policy.SlotItem:
		addressed = "submodule " + r.Collection.Submodules[r.Slot]
	case r.Creates:
		addressed = "the collection"
	case !r.Item:
		addressed = "no item"
	}
	l := pathLine{m.String(), r.String(), addressed, r.Collection.URI, access(r), []pathSelector{}}
	for i := range req.Selectors {
		s := pathSelector{Kind: req.Selectors[i].Kind.String()}
		if c := req.Selectors[i].Collection; c != nil {
			s.Collection = c.URI
		}
		l.Selectors = append(l.Selectors, s)
	}
	return l
}

func (l *pathLine) print(w io.Writer) {
	fmt.Fprintf(w, "%-6s %s  addresses %s of %s, %s\n", l.Method, l.Route, l.Addresses, l.Collection, l.Access)
	for i, s := range l.Selectors {
		whose := "local to its parent"
		if s.Collection != "" {
			whose = "of " + s.Collection
		}
		fmt.Fprintf(w, "       selector %d: %s, %s\n", i+1, s.Kind, whose)
	}
}
