package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
}

// readPolicy reads the policy file that a setting names. Where it cannot be read, or is broken, the
// faults say so and the result may be nil.
func readPolicy(s *config.Settings, file config.File, setting string) (*policyFile, strict.Faults) {
	text, err := os.ReadFile(file.Path)
	if err != nil {
		return nil, strict.Faults{unreadable(s, setting, err)}
	}
	return parsePolicy(s, file.Path, text)
}

// parsePolicy reads the catalogue of the settings and then text, which is that of path.
func parsePolicy(s *config.Settings, path string, text []byte) (*policyFile, strict.Faults) {
	cat, err := routes.Load(s.Policy.RoutesFile.Path)
	var faults strict.Faults
	switch {
	case errors.As(err, &faults):
		return nil, faults
	case err != nil:
		return nil, strict.Faults{{File: s.Name(), Message: "policy.routes_file: " + err.Error()}}
	}
	pol, faults := store.ReadPolicy(path, text, cat, s.Policy.MaxDepth)
	if s.Scope.Accounts == config.AccountsBackend {
		for i := range faults {
			if id, ok := missingAccount(faults[i].Message); ok {
				faults[i].Message += fmt.Sprintf(": with scope.accounts backend the policy file names the accounts of its tokens all the same: "+
					"add {id: %s, parent: …} under accounts:; what is above and below it the backend says", id)
			}
		}
	}
	if pol == nil {
		return nil, faults
	}
	return &policyFile{pol, app.Engine(s, cat)}, faults
}

// missingAccount returns the id of a message that ends in an account which is not there.
func missingAccount(message string) (id string, ok bool) {
	_, id, ok = strings.Cut(message, ": no account has the id ")
	return id, ok && !strings.ContainsAny(id, " :")
}

// policyInForce reads the policy of the settings.
func policyInForce(s *config.Settings) (*policyFile, error) {
	pol, faults := readStore(s)
	return pol, badSettings(faults.Err())
}

// adoptUses gives the tokens of a policy file the last uses beside it; those of a database have
// them.
func (p *policyFile) adoptUses(s *config.Settings, at int64) {
	if s.Store.Kind == config.StoreFile {
		p.AdoptUses(s.Store.Path.Path, at)
	}
}

// readStore reads the policy of the settings, wherever it is.
func readStore(s *config.Settings) (*policyFile, strict.Faults) {
	if s.Store.Kind == config.StoreFile {
		return readPolicy(s, s.Store.Path, "store.path")
	}
	cat, err := routes.Load(s.Policy.RoutesFile.Path)
	if err != nil {
		return nil, strict.Faults{{File: s.Name(), Message: "policy.routes_file: " + err.Error()}}
	}
	db, err := app.OpenDatabase(context.Background(), s)
	if err != nil {
		return nil, strict.Faults{unreadable(s, storeSetting(s), err)}
	}
	defer db.Close()
	pol, faults := store.LoadPolicy(context.Background(), db, cat, s.Policy.MaxDepth)
	if pol == nil {
		return nil, faults
	}
	return &policyFile{pol, app.Engine(s, cat)}, faults
}

// storeSetting is the setting that says where the store is.
func storeSetting(s *config.Settings) string {
	if s.Store.Kind == config.StorePostgres {
		return "store.url_file"
	}
	return "store.path"
}

// neverEnds is the end of sessions in policy tests: the last second of the year 9999.
const neverEnds = 253402300799

// token returns the token of a record, ready to be evaluated.
func (p *policyFile) token(rec *store.Record) *policy.Token {
	if rec.Token.UserID == 0 { // else it was made up, as it may be used
		rec = app.InUse(p.Policy, rec)
	}
	tok := rec.Token
	if !tok.IsUser {
		tok.ACL = policy.NewACL(rec.Entries, p.engine.Catalogue)
	}
	tok.Roles = rec.UserRoles(p.engine.Catalogue)
	return &tok
}

// readWorld reads the policy file at path, or that of the settings, for what evaluates many
// requests by what its entries say, whether or not policy.enforce lets them decide.
func readWorld(s *config.Settings, path string) (cases.World, error) {
	pol, err := policyAt(s, path)
	if err != nil {
		return cases.World{}, err
	}
	if path == "" && s.Store.Kind != config.StorePostgres {
		path = s.Store.Path.Path
	}
	pol.engine.Unenforced = false
	records := map[int64]*store.Record{}
	for _, rec := range pol.Records() {
		records[rec.Token.ID] = rec
	}
	compiled := map[int64]*policy.Token{}
	token := func(id int64) *policy.Token {
		if id < 0 && records[id] == nil {
			records[id] = app.UserSession(pol.Policy, -id, neverEnds, nil)
		}
		if compiled[id] == nil && records[id] != nil {
			compiled[id] = pol.token(records[id])
		}
		return compiled[id]
	}
	return cases.World{Engine: pol.engine, Tree: pol.Tree, Grants: pol.Grants(), Token: token, File: relative(path)}, nil
}

// policyAt reads the policy file at path, or the policy of the settings.
func policyAt(s *config.Settings, path string) (*policyFile, error) {
	if path == "" && s.Store.Kind != config.StoreFile {
		return policyInForce(s)
	}
	if path == "" {
		path = s.Store.Path.Path
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, badSettings(fmt.Errorf("cannot read policy: %w", err))
	}
	pol, faults := parsePolicy(s, path, text)
	return pol, badSettings(faults.Err())
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
		if !file.IsSet() || setting == "store.path" && s.Store.Kind != config.StoreFile {
			continue // who opens the database says what is wrong with it
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

// unreadable says, where the settings name a file, why nobody can use it.
func unreadable(s *config.Settings, setting string, err error) strict.Fault {
	at := s.Pos(setting)
	return strict.Fault{File: s.Name(), Line: at.Line, Col: at.Col, Message: setting + ": " + err.Error()}
}
