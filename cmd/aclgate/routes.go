package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/routes"
)

func (e *env) routes() *cobra.Command {
	var export bool
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
			return e.runRoutes(args)
		},
	}
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

func (e *env) runRoutes(args []string) error {
	cat, err := e.catalogue()
	if err != nil {
		return err
	}
	if len(args) == 1 {
		return e.showPath(cat, args[0])
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTE\tMETHODS\tACCESS\tSELECTORS")
	for _, c := range cat.Collections {
		for _, r := range c.Routes {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r, r.Methods, access(r), selectors(r))
		}
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

func selectors(r *policy.Route) string {
	text := ""
	for i, c := range r.Selectors {
		if i > 0 {
			text += ", "
		}
		switch {
		case c == nil:
			text += "local"
		case c.IDs == policy.IDInt:
			text += c.URI
		default:
			text += c.URI + " (string)"
		}
	}
	return text
}

func (e *env) showPath(cat *policy.Catalogue, path string) error {
	engine := &policy.Engine{Catalogue: cat}
	var req policy.Request
	if reason := req.Parse(engine, policy.GET, []byte(path)); reason != policy.NotJudged {
		return failed(fmt.Errorf("%s: %s", reason, req.Detail))
	}
	if req.Allow == 0 {
		return failed(fmt.Errorf("unknown-route: no route has the shape of %s", path))
	}
	for m := policy.GET; m <= policy.DELETE; m++ {
		if !req.Allow.Has(m) || req.Parse(engine, m, []byte(path)) != policy.NotJudged {
			continue
		}
		e.showRoute(m, &req)
	}
	return nil
}

func (e *env) showRoute(m policy.Method, req *policy.Request) {
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
	fmt.Fprintf(e.stdout, "%-6s %s  addresses %s of %s, %s\n", m, r, addressed, r.Collection.URI, access(r))
	for i := range req.Selectors {
		s := &req.Selectors[i]
		whose := "local to its parent"
		if s.Collection != nil {
			whose = "of " + s.Collection.URI
		}
		fmt.Fprintf(e.stdout, "       selector %d: %s, %s\n", i+1, s.Kind, whose)
	}
}
