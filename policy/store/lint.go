package store

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/config/strict"
	"aclgate/policy"
)

// about says which part of an entry a finding is about.
type about uint8

const (
	aboutEntry about = iota
	aboutURI
	aboutMethods
	aboutSubmodules
)

// finding is one thing that an entry says and cannot mean.
type finding struct {
	entry   int
	about   about
	message string
}

// lint finds entries that do nothing, against a catalogue. Ids do not matter to it, so lists that
// differ in nothing else are judged once: see kind.
type lint struct {
	catalogue *policy.Catalogue // nil: nothing is found
}

// count returns how many findings there are about a list of entries.
func (l *lint) count(entries []policy.Entry) int {
	if l.catalogue == nil || len(entries) == 0 {
		return 0
	}
	return len(l.find(entries))
}

// find returns everything that can be said about a list of entries.
func (l *lint) find(entries []policy.Entry) (found []finding) {
	acl := policy.NewACL(entries, l.catalogue)
	for i := range entries {
		e := &entries[i]
		add := func(a about, format string, args ...any) {
			found = append(found, finding{i, a, fmt.Sprintf(format, args...)})
		}
		covered := l.covered(e.URI)
		switch {
		case l.masterOnly(e.URI, covered):
			module, _, _ := strings.Cut(e.URI, "/")
			add(aboutURI, "no entry opens /%s, which is for master tokens alone", module)
			continue
		case len(covered) == 0:
			add(aboutURI, "no route has the uri %q, so the entry matches nothing%s", e.URI, l.nearURI(e.URI))
			continue
		case covered[0].Topics:
			continue // of topics, which readTopic judges
		}
		methodFindings(e, covered, add)
		if !permitsAny(e) {
			add(aboutEntry, "the entry has no methods, so it permits nothing: say which, such as methods: [GET]")
		} else if !chosen(acl, i+1, covered) {
			add(aboutEntry, "the entry is never chosen: for all that it permits another one comes first")
		}
	}
	return found
}

// masterOnly reports whether all that a uri is about, or else all of its module, is for master
// tokens.
func (l *lint) masterOnly(uri string, covered []*policy.Collection) bool {
	if len(covered) == 0 {
		module, _, _ := strings.Cut(uri, "/")
		covered = l.covered(module)
	}
	entries := func(c *policy.Collection) bool { return !c.MasterOnly }
	return len(covered) > 0 && !slices.ContainsFunc(covered, entries)
}

// permitsAny reports whether an entry has any method at all.
func permitsAny(e *policy.Entry) bool {
	return e.Methods != 0 || slices.ContainsFunc(e.Submodules, func(s policy.Submodule) bool { return s.Methods != 0 })
}

// covered returns the collections that an entry with this uri is about.
func (l *lint) covered(uri string) (cs []*policy.Collection) {
	e := policy.Entry{URI: uri}
	for _, c := range l.catalogue.Collections {
		if e.Covers(c) {
			cs = append(cs, c)
		}
	}
	return cs
}

func (l *lint) nearURI(uri string) string {
	var known []string
	for _, c := range l.catalogue.Collections {
		known = append(known, c.EntryURI, c.Module)
	}
	if near, ok := strict.Nearest(strings.TrimPrefix(uri, "/"), known); ok {
		return ": did you mean \"" + near + "\"?"
	}
	return ""
}

// methodFindings compares the methods and submodules of an entry with the routes.
func methodFindings(e *policy.Entry, covered []*policy.Collection, add func(about, string, ...any)) {
	for m := policy.GET; m <= policy.DELETE; m++ {
		onItem := func(r *policy.Route) bool {
			return r.Slot == policy.SlotItem || !e.HasSubmodules && r.Slot != policy.SlotCID
		}
		if e.Methods.Has(m) && !anyRoute(covered, m, onItem) {
			add(aboutMethods, "no route of %s takes %s", e.URI, m)
		}
	}
	for _, s := range e.Submodules {
		named := func(r *policy.Route) bool { return hasSlot(r, s.Name) }
		if !anyRoute(covered, policy.NoMethod, named) {
			add(aboutSubmodules, "no route of %s has the submodule %q, so it matches nothing%s", e.URI, s.Name, nearSubmodule(s.Name, covered))
			continue
		}
		for m := policy.GET; m <= policy.DELETE; m++ {
			if s.Methods.Has(m) && !anyRoute(covered, m, named) {
				add(aboutSubmodules, "no route of the submodule %s of %s takes %s", s.Name, e.URI, m)
			}
		}
	}
}

// hasSlot reports whether rights on the submodule called name are asked for at r. To move an item
// is asked for where an item is written, too.
func hasSlot(r *policy.Route, name string) bool {
	if name == "cid" && r.Item && r.Slot == policy.SlotItem {
		return true
	}
	return r.Slot != policy.SlotItem && r.Collection.Submodules[r.Slot] == name
}

// anyRoute reports whether any route of cs that fits takes m, or fits at all for NoMethod. PUT
// permits PATCH.
func anyRoute(cs []*policy.Collection, m policy.Method, fits func(*policy.Route) bool) bool {
	for _, c := range cs {
		for _, r := range c.Routes {
			takes := m == policy.NoMethod || r.Methods.Has(m) || m == policy.PUT && r.Methods.Has(policy.PATCH)
			if takes && fits(r) {
				return true
			}
		}
	}
	return false
}

func nearSubmodule(name string, covered []*policy.Collection) string {
	var known []string
	for _, c := range covered {
		known = append(known, c.Submodules[1:]...)
	}
	if near, ok := strict.Nearest(name, known); ok && near != name {
		return ": did you mean \"" + near + "\"?"
	}
	return ""
}

// chosen reports whether the entry with this number decides about anything.
func chosen(acl *policy.ACL, number int, covered []*policy.Collection) bool {
	for _, c := range covered {
		for slot := range c.Submodules {
			for m := policy.GET; m <= policy.DELETE; m++ {
				if e := acl.Choose(c, slot, m); e != nil && e.Number == number {
					return true
				}
			}
		}
	}
	return false
}
