package main

import (
	"errors"
	"os"
	"path/filepath"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/cases"
	"aclgate/policy/routes"
	"aclgate/policy/store"
)

// policyFile is a policy as commands read it, without a running gateway.
type policyFile struct {
	*store.Policy
	engine *policy.Engine
	path   string
}

// readPolicy reads the catalogue and a policy file. setting is what names the file, "" if that is a
// flag. Without a policy, or with a broken one, the faults say so and the result may be nil.
func readPolicy(s *config.Settings, path, setting string) (*policyFile, strict.Faults) {
	cat, err := routes.Load(s.Policy.RoutesFile.Path)
	var faults strict.Faults
	switch {
	case errors.As(err, &faults):
		return nil, faults
	case err != nil:
		return nil, strict.Faults{{File: s.Name(), Message: "policy.routes_file: " + err.Error()}}
	}
	text, err := os.ReadFile(path)
	switch {
	case err != nil && setting == "":
		return nil, strict.Faults{{File: path, Message: err.Error()}}
	case err != nil:
		return nil, strict.Faults{unreadable(s, setting, err)}
	}
	pol, faults := store.ReadPolicy(path, text, cat, s.Policy.MaxDepth)
	if pol == nil {
		return nil, faults
	}
	return &policyFile{pol, app.Engine(s, cat), path}, faults
}

// policyInForce reads the policy of the settings.
func policyInForce(s *config.Settings) (*policyFile, error) {
	pol, faults := readPolicy(s, s.Store.Path.Path, "store.path")
	return pol, badSettings(faults.Err())
}

// token returns the token of a record, ready to be evaluated.
func (p *policyFile) token(rec *store.Record) *policy.Token {
	tok := rec.Token
	tok.ACL = policy.NewACL(rec.Entries, p.engine.Catalogue)
	return &tok
}

// readWorld reads the policy file at path, or that of the settings, for what evaluates many
// requests by what its entries say, whether or not policy.enforce lets them decide.
func readWorld(s *config.Settings, path string) (cases.World, error) {
	if path == "" {
		path = s.Store.Path.Path
	}
	pol, faults := readPolicy(s, path, "")
	if err := faults.Err(); err != nil {
		return cases.World{}, badSettings(err)
	}
	pol.engine.Unenforced = false
	records := map[int64]*store.Record{}
	for _, rec := range pol.Records() {
		records[rec.Token.ID] = rec
	}
	compiled := map[int64]*policy.Token{}
	token := func(id int64) *policy.Token {
		if compiled[id] == nil && records[id] != nil {
			compiled[id] = pol.token(records[id])
		}
		return compiled[id]
	}
	return cases.World{Engine: pol.engine, Tree: pol.Tree, Token: token, File: relative(path)}, nil
}

// relative returns a shorter name of a file, where there is one.
func relative(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	if short, err := filepath.Rel(here, file); err == nil && len(short) < len(file) {
		return short
	}
	return file
}

// missingPolicies names the policy files that cannot be opened, where the settings name them.
func missingPolicies(s *config.Settings) (faults strict.Faults) {
	for setting, file := range map[string]config.File{"store.path": s.Store.Path, "policy.shadow": s.Policy.Shadow} {
		if !file.IsSet() {
			continue
		}
		f, err := os.Open(file.Path)
		if err != nil {
			faults = append(faults, unreadable(s, setting, err))
			continue
		}
		f.Close()
	}
	return faults.Sorted()
}

// unreadable says, where the settings name a file, why nobody can read it.
func unreadable(s *config.Settings, setting string, err error) strict.Fault {
	at := s.Pos(setting)
	return strict.Fault{File: s.Name(), Line: at.Line, Col: at.Col, Message: setting + ": " + err.Error()}
}
