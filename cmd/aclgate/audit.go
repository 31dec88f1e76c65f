package main

import (
	"context"
	"sync"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy/store"
)

// openAudit opens the audit log, if the settings name one.
func (a *app) openAudit() (err error) {
	s := a.settings.Audit
	if !s.Path.IsSet() {
		return nil
	}
	a.audit, err = record.OpenAudit(record.AuditOptions{
		Path: s.Path.Path, AllowSample: s.AllowSample, MaxSize: s.MaxSize, Keep: s.Keep, Log: a.log,
	})
	return err
}

// runAudit writes until ctx ends, which is when the last request was answered.
func (a *app) runAudit(ctx context.Context, group *sync.WaitGroup) {
	if a.audit == nil {
		return
	}
	a.audit.Change(record.Change{Time: time.Now(), Event: "start", Revision: a.store.Revision()})
	group.Go(func() { a.audit.Run(ctx) })
}

// auditPolicy notes a reading of the policy that changed something: what was in
// force, and since when, is part of why a request was denied. The first reading
// is noted as the start. The store tells of one reading at a time.
func (a *app) auditPolicy(s store.State) {
	c := record.Change{Event: "reload", Result: "succeeded", Revision: s.Revision}
	if s.Stale {
		c.Result, c.Faults = "failed", s.Faults.Error()
	}
	first := a.noted == record.Change{}
	if c == a.noted {
		return
	}
	a.noted = c
	if !first {
		c.Time = time.Now()
		a.audit.Change(c)
	}
}
