package proxy

import (
	"strings"
	"testing"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// What the shadow policy makes of a body does not depend on how long the answer is: a streamed one
// must not be read into the memory that holds the body.
func TestShadowJudgesBodyBehindAnyAnswer(t *testing.T) {
	const moves = `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[101],"submodules":[{"name":"cid","methods":["PUT"]}]}]`
	want := record.Outcome{Known: true, Reason: policy.MoveNoEntry}
	for name, size := range map[string]int{"short": 10, "held": 40 << 10, "streamed": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			var seen keeper
			b := startText(t, plain(`{"result":[{"id":101,"name":"`+strings.Repeat("x", size)+`"}]}`))
			f := newFixture(t, b.url, seen.keep)
			f.accounts([2]int64{400, 0}, [2]int64{500, 400}, [2]int64{501, 500}, [2]int64{600, 400}, [2]int64{777, 0})
			f.token(shadowKey, "acl", 500, moves)
			f.gateway.shadow.policy = newSide(t, "acl", 500, `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[101]}]`)
			f.call(shadowKey, "PUT", "/gw/devices/101,201", `{"cid":501}`)
			for f.gateway.Busy() > 0 { // a streamed answer is there before its request is over
			}
			if r := seen.take()[0]; r.Denied != 1 || r.Shadow != want {
				t.Errorf("got %d denied and %+v, want 1 and %+v", r.Denied, r.Shadow, want)
			}
		})
	}
}
