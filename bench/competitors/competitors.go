// Package competitors knows the proxies that the gateway is measured against and makes them do the
// same job as far as they can: the same tokens, `all` narrowed, ids checked, denials in the same
// words.
//
//	bare        fasthttp's server and HostClient with default options, checking nothing; built in
//	nginx       passing through, checking nothing
//	lua         nginx with Lua in access_by_lua, the form that people write
//	lua-set     nginx with Lua in set_by_lua, its cheapest form
//	lua-full    lua, and what else the gateway does that nginx can do too: the own credential, the
//	            account's header, the allow list of headers, an id for the decision
//	haproxy     maps
//
// Nothing is installed and nothing outside the given folder is written: what is missing is named,
// and its lines are left out. The configs are next to this file.
package competitors

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"aclgate/bench/workload"
)

//go:embed nginx.conf.tmpl haproxy.cfg.tmpl acl.lua
var configs embed.FS

// Site is where a competitor is set up.
type Site struct {
	Dir      string
	Listen   netip.AddrPort
	Backend  netip.AddrPort
	Workload *workload.Workload
}

// Competitor is one proxy.
type Competitor struct {
	Name   string
	About  string
	Checks bool // it enforces the workload's policy, so the oracle judges it

	form  string // of Lua
	find  func() (version string, err error)
	can   func(*workload.Mix) bool
	setup func(*Competitor, Site) (argv []string, err error)
}

// All returns the competitors, in the order of the table.
func All() []*Competitor {
	return []*Competitor{
		{Name: "bare", About: "fasthttp, checks nothing", find: findBare, can: passing, setup: setupBare},
		{Name: "nginx", About: "nginx, checks nothing", find: findNginx, can: harmless, setup: setupNginx},
		{Name: "lua", About: "nginx + Lua, access_by_lua", Checks: true, form: "access", find: findLua, can: luaCan, setup: setupNginx},
		{Name: "lua-set", About: "nginx + Lua, set_by_lua", Checks: true, form: "set", find: findLua, can: luaCan, setup: setupNginx},
		{Name: "lua-full", About: "nginx + Lua, with the header rules", Checks: true, form: "full", find: findLua, can: luaCan, setup: setupNginx},
		{Name: "haproxy", About: "HAProxy maps", Checks: true, find: findHAProxy, can: mapsCan, setup: setupHAProxy},
	}
}

// Named returns the competitor of that name.
func Named(name string) (*Competitor, bool) {
	all := All()
	i := slices.IndexFunc(all, func(r *Competitor) bool { return r.Name == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// Find returns the version of the competitor's program, or why it cannot be used here.
func (r *Competitor) Find() (string, error) { return r.find() }

// Can reports whether the competitor can play a mix.
func (r *Competitor) Can(m *workload.Mix) bool { return r.can(m) }

// Setup writes the competitor's files and returns the command that runs it in the foreground.
func (r *Competitor) Setup(s Site) ([]string, error) { return r.setup(r, s) }

// passing: what is passed on has to be about as long as what the gateway sends, and most of it
// served.
func passing(m *workload.Mix) bool {
	return m.Devices <= 100 && !slices.ContainsFunc(m.Requests, func(a workload.Ask) bool {
		return a.What == workload.Foreign && len(m.Requests) == 1
	})
}

func harmless(m *workload.Mix) bool { return passing(m) && !m.Denies() }

// luaCan: the script knows devices alone, and cannot merge denials into an answer.
func luaCan(m *workload.Mix) bool {
	return !slices.ContainsFunc(m.Requests, func(a workload.Ask) bool {
		return a.What == workload.Mixed || !strings.HasPrefix(a.Path, "/gw/devices/{}")
	})
}

// mapsCan: maps judge one id, and set-path replaces the whole path. A line of a map longer than a
// buffer is cut, silently.
func mapsCan(m *workload.Mix) bool {
	return luaCan(m) && m.Devices <= 100 && !slices.ContainsFunc(m.Requests, func(a workload.Ask) bool {
		return a.IDs > 1 || a.What == workload.All && a.Path != "/gw/devices/{}"
	})
}

func findBare() (string, error) { return "built in", nil }

func findNginx() (string, error) { return version("nginx", "-v") }

// modules is where Debian's packages put nginx's modules.
const modules = "/usr/lib/nginx/modules"

func findLua() (string, error) {
	v, err := findNginx()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(modules, "ngx_http_lua_module.so")); err != nil {
		return "", errors.New("libnginx-mod-http-lua is not installed")
	}
	return v + " + Lua", nil
}

func findHAProxy() (string, error) { return version("haproxy", "-v") }

// program returns where a program is. Debian has servers in /usr/sbin, which is not in everybody's
// PATH.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not installed", name)
	}
	return path, nil
}

// version returns the first line that a program says about itself.
func version(name, flag string) (string, error) {
	path, err := program(name)
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, flag).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot run %s %s: %w", name, flag, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "nginx version: ")), nil
}

func setupBare(_ *Competitor, s Site) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{self, "bench", "bare", s.Listen.String(), s.Backend.String()}, nil
}

func setupNginx(r *Competitor, s Site) ([]string, error) {
	path, err := program("nginx")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(s.Dir, r.Name+".conf")
	err = fill("nginx.conf.tmpl", conf, map[string]any{
		"Dir": s.Dir, "Listen": s.Listen, "Backend": s.Backend, "Lua": r.Checks, "Form": r.form, "Full": r.form == "full", "Modules": modules,
	})
	if r.Checks && err == nil {
		err = errors.Join(copyOut("acl.lua", s.Dir), write(filepath.Join(s.Dir, "tokens.txt"), func(w io.Writer) {
			for i := range s.Workload.Tokens {
				fmt.Fprintf(w, "%s %d %s\n", s.Workload.Tokens[i].Key, s.Workload.Tokens[i].Account, s.Workload.Tokens[i].IDs())
			}
		}))
	}
	return []string{path, "-p", s.Dir, "-c", conf, "-e", "stderr"}, err
}

func setupHAProxy(_ *Competitor, s Site) ([]string, error) {
	path, err := program("haproxy")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(s.Dir, "haproxy.cfg")
	err = errors.Join(
		fill("haproxy.cfg.tmpl", conf, map[string]any{"Dir": s.Dir, "Listen": s.Listen, "Backend": s.Backend}),
		write(filepath.Join(s.Dir, "tokens.map"), func(w io.Writer) {
			for i := range s.Workload.Tokens {
				fmt.Fprintf(w, "%s %s\n", s.Workload.Tokens[i].Key, s.Workload.Tokens[i].IDs())
			}
		}),
		write(filepath.Join(s.Dir, "items.map"), func(w io.Writer) {
			for i := range s.Workload.Tokens {
				for _, id := range s.Workload.Tokens[i].Devices {
					fmt.Fprintf(w, "%s:%d 1\n", s.Workload.Tokens[i].Key, id)
				}
			}
		}))
	return []string{path, "-db", "-f", conf}, err
}

// fill writes a config from its template.
func fill(name, to string, values map[string]any) error {
	t, err := template.ParseFS(configs, name)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(t.Execute(f, values), f.Close())
}

func copyOut(name, dir string) error {
	text, err := configs.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), text, 0o600)
}

// write makes a file that holds keys: other users may not read it.
func write(path string, fill func(io.Writer)) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	fill(out)
	return errors.Join(out.Flush(), f.Close())
}
