package policy_test

import (
	"testing"

	"aclgate/policy"
)

// Looking at fields costs no allocation where an entry says what a request wants to see.
func TestNoAllocsForFields(t *testing.T) {
	entry := policy.Entry{
		URI: "gw/devices", Methods: policy.Methods(policy.GET), Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{1, 2}), HasSubmodules: true,
		Submodules: []policy.Submodule{{Name: "telemetry", Methods: policy.Methods(policy.GET)}},
	}
	engine := policy.Engine{Catalogue: catalogue(t)}
	tok := &policy.Token{Enabled: true, Expire: 1 << 40, Access: policy.ACLAccess, CID: 1, ACL: policy.NewACL([]policy.Entry{entry}, engine.Catalogue)}
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}}, 8)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, row := range []struct {
		target, want string
		reason       policy.Reason
	}{
		{"/gw/devices/all?fields=id,telemetry.position,*", "/gw/devices/1,2?fields=id,telemetry.position", policy.NotJudged},
		{"/gw/devices/1?fields=id,name", "/gw/devices/1?fields=id,name", policy.NotJudged},
		{"/gw/devices/1?fields=*", "/gw/devices/1", policy.NotJudged},
		{"/gw/devices/1?fields=settings", "", policy.FieldHidden},
		{"/gw/devices/telemetry.x=1,settings.y=2", "", policy.FieldHidden},
	} {
		var r policy.Request
		var d policy.Decision
		var out []byte
		play := func() policy.Reason {
			if reason := r.Parse(&engine, policy.GET, []byte(row.target)); reason != policy.NotJudged {
				return reason
			}
			reason := engine.Evaluate(&d, &policy.Input{Request: &r, Token: tok, Tree: tree})
			if out = out[:0]; reason == policy.NotJudged {
				out = policy.AppendTarget(out, &r, &d)
			}
			return reason
		}
		if got := play(); got != row.reason || string(out) != row.want {
			t.Errorf("%s: got %v %s, want %v %s", row.target, got, out, row.reason, row.want)
		}
		in := &policy.Input{Request: &r, Token: tok, Tree: tree}
		allocs := testing.AllocsPerRun(100, func() {
			if engine.Evaluate(&d, in) == policy.NotJudged {
				out = policy.AppendTarget(out[:0], &r, &d)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", row.target, allocs)
		}
	}
}
