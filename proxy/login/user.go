package login

import (
	"context"
	"errors"
	"time"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

const textFileUsers = "users stand in the policy file, which the gateway only reads"

// own are the fields that users change of their own record.
var own = []string{"email", "metadata"}

// User answers GET and PUT of /realm/{public_id}/user: the record of the user whose token asks. A
// change is nil for a GET.
func (s *Service) User(ctx context.Context, t *policy.Token, publicID string, change []byte) Answer {
	doc, found := s.directory.doc(store.Users, t.UserID)
	id := s.directory.current().realms[publicID]
	if !found || id == 0 || record.NumberOf(doc, "realm_id") != id {
		return Answer{Reason: policy.NoEntry}
	}
	if change == nil {
		return Answer{Reason: policy.OwnAnswer, Body: s.row(doc), User: t.UserID}
	}
	if s.o.Write == nil {
		return Answer{Reason: policy.OwnersFixed, Text: textFileUsers, User: t.UserID}
	}
	v, err := record.Parse(change)
	if err != nil || v.Shape != record.Object || len(v.Members) == 0 {
		return Answer{Reason: policy.BadBody, Text: "expected an object with email, metadata, or current_password and password"}
	}
	if v.Get("current_password").Shape != record.Absent || v.Get("password").Shape != record.Absent {
		return s.changePassword(ctx, t, &v)
	}
	return s.changeUser(ctx, t.UserID, v)
}

// row returns what users see of their own record: nothing of what was decided about them but names.
func (s *Service) row(doc record.Value) []byte {
	row := record.Users.Row(doc)
	for _, hidden := range []string{"token_params", "registration"} {
		row = row.Without(hidden)
	}
	return row.Append(nil)
}

// changeUser changes email and metadata.
func (s *Service) changeUser(ctx context.Context, user int64, change record.Value) Answer {
	for _, m := range change.Members {
		if m.Name != own[0] && m.Name != own[1] {
			return Answer{Reason: policy.BadBody, Text: "users change email, metadata and their password here, nothing else"}
		}
	}
	var after record.Value
	var fault *record.Fault
	err := s.o.Write(ctx, actor(user), func(tx *store.Tx) error {
		row, err := tx.Get(store.Users, user)
		if err != nil {
			return err
		}
		before, err := record.Parse(row.Doc)
		if err != nil {
			return err
		}
		if after, fault = record.Users.Put(before, change); fault != nil {
			return fault
		}
		return tx.PutDoc(store.Users, user, after.Append(nil))
	})
	switch {
	case fault != nil:
		return Answer{Reason: policy.BadBody, Text: fault.Reason()}
	case err != nil:
		return s.failed(err)
	}
	return Answer{Reason: policy.OwnAnswer, Body: s.row(after), User: user}
}

func actor(user int64) string { return "user " + record.NewInt(user).Text }

// failed answers that the store did not take a change.
func (s *Service) failed(err error) Answer {
	s.o.Log.Error("a user could not be changed", "error", err)
	return Answer{Reason: policy.StoreStale}
}

// changePassword writes a new password. Whoever asks shows the old one, because a session may have
// been stolen; it is counted like a login. All other sessions of the user end.
func (s *Service) changePassword(ctx context.Context, t *policy.Token, change *record.Value) Answer {
	began := time.Now()
	old, fresh := change.Get("current_password"), change.Get("password")
	if old.Shape != record.Text || fresh.Shape != record.Text || len(change.Members) != 2 {
		return Answer{Reason: policy.BadBody, Text: "expected an object with current_password and password"}
	}
	u := s.directory.user(t.UserID)
	if fault := realm.NewPassword(fresh.Text, u.Name); fault != nil {
		return Answer{Reason: policy.BadBody, Text: fault.Reason()}
	}
	key := s.users.userKey(u.ID)
	if _, wait := s.users.take(key, began); wait > 0 {
		return Answer{Reason: policy.LoginLimited, Retry: wait}
	}
	before, err := s.o.Records.Secret(u.ID)
	if err != nil {
		if !errors.Is(err, store.ErrNoRow) {
			return s.failed(err)
		}
		before = s.nobody
	}
	verifier, failed := "", error(nil)
	err = s.hashers.do(func() {
		if matches(before, old.Text, newPacer(false).rest) {
			verifier, failed = s.hash(fresh.Text)
		}
	})
	switch {
	case err != nil:
		return Answer{Reason: policy.LoginBusy}
	case failed != nil:
		return s.failed(failed)
	case verifier == "":
		s.pause(ctx, began)
		return Answer{Reason: policy.BadBody, Text: "current_password is not the password", User: u.ID}
	}
	s.users.giveBack(key)
	if err := s.setPassword(ctx, actor(u.ID), u.ID, before, verifier, t.ID); err != nil {
		return s.failed(err)
	}
	doc, _ := s.directory.doc(store.Users, u.ID)
	return Answer{Reason: policy.OwnAnswer, Body: s.row(doc), User: u.ID}
}

// setPassword writes a verifier in the place of another one, and ends the sessions of the user but
// for the token called keep.
func (s *Service) setPassword(ctx context.Context, actor string, user int64, before, verifier string, keep int64) error {
	err := s.o.Write(ctx, actor, func(tx *store.Tx) error {
		now, err := tx.Secret(user)
		if err != nil && !errors.Is(err, store.ErrNoRow) {
			return err
		}
		if now != before && before != s.nobody {
			return store.ErrChanged
		}
		return tx.SetSecret(user, verifier)
	})
	if err != nil {
		return err
	}
	_, err = s.end(ctx, actor, user, keep)
	return err
}
