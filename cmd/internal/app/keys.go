package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/config"
	"aclgate/metrics/record"
)

// keyTick is how often the files of keys are looked at.
const keyTick = time.Second

// keyFile is a key that is read again when its file changes. One that cannot be read changes
// nothing.
type keyFile struct {
	setting string // that names it, for messages
	file    config.File
	changed func(key string) // a new key is in force; may be nil

	key atomic.Pointer[string] // never nil once it was read

	mu    sync.Mutex
	seen  string // by the last look
	fault error  // of the last reading that counted
}

// get returns the key in force; "" where the settings name no file.
func (k *keyFile) get() string {
	if key := k.key.Load(); key != nil {
		return *key
	}
	return ""
}

// read reads the file and puts its key in force.
func (k *keyFile) read() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.content()
	k.settle(key, err)
	return k.fault
}

// look reads the file, and lets what it holds count once two looks in a row agree: who writes it in
// place writes half a key first. It reports whether the key or the fault is another one.
func (k *keyFile) look() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, err := k.content()
	now := key
	if err != nil {
		now = "fault: " + err.Error() // a blank is in no key
	}
	before := k.seen
	if k.seen = now; now != before {
		return false
	}
	was, wasFault := k.get(), k.fault
	k.settle(key, err)
	return k.get() != was || (k.fault == nil) != (wasFault == nil)
}

func (k *keyFile) content() (string, error) {
	if !k.file.IsSet() {
		return "", nil
	}
	return config.ReadKeyFile(k.file.Path)
}

func (k *keyFile) settle(key string, err error) {
	if k.fault = err; err != nil {
		k.fault = fmt.Errorf("cannot read %s: %w", k.setting, err)
		return
	}
	if old := k.key.Swap(&key); (old == nil || *old != key) && k.changed != nil {
		k.changed(key)
	}
}

func (k *keyFile) lastFault() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault
}

// openKeys reads all keys. At start a key that cannot be read is a fault.
func (a *App) openKeys() error {
	u, d := a.settings.Upstream.Token, a.settings.Admin.Token
	a.brokerKey = &keyFile{setting: "mqtt.upstream.token_file", file: a.settings.MQTT.Upstream.Token}
	a.key = &keyFile{setting: "upstream.token_file", file: u}
	a.adminKey = &keyFile{setting: "admin.token_file", file: d, changed: func(key string) {
		if a.admin != nil {
			a.admin.SetKey(key)
		}
	}}
	return a.readKeys()
}

// keys returns the files of all keys.
func (a *App) keys() []*keyFile { return []*keyFile{a.key, a.adminKey, a.brokerKey} }

func (a *App) readKeys() (err error) {
	for _, k := range a.keys() {
		err = errors.Join(err, k.read())
	}
	return err
}

// keyFault returns why keys cannot be read; nil if all can.
func (a *App) keyFault() (err error) {
	for _, k := range a.keys() {
		err = errors.Join(err, k.lastFault())
	}
	return err
}

// watchKeys notices changes of the files of keys, until ctx ends.
func (a *App) watchKeys(ctx context.Context) {
	ticker := time.NewTicker(keyTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, k := range a.keys() {
			if !k.look() {
				continue
			}
			err := k.lastFault()
			if err != nil {
				a.log.Error("a key file changed and cannot be used: the old key stays", "error", err)
			} else {
				a.log.Info("a key file was read again", "setting", k.setting)
			}
			a.auditKeys(err)
		}
	}
}

// auditKeys writes a reading of a key that changed something.
func (a *App) auditKeys(err error) {
	c := record.Change{Time: time.Now(), Event: "reload", Result: "succeeded", Revision: a.policy.State().Revision}
	if err != nil {
		c.Result, c.Faults = "failed", err.Error()
	}
	a.audit.Change(c)
}
