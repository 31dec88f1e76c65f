package mqtt

import (
	"fmt"
	"testing"

	"aclgate/proxy/mqtt/wire"
)

// The account of a delivery is what its one cid says, also where it is said twice; what only the
// gateway may say is taken off.
func TestAccountOf(t *testing.T) {
	for _, row := range []struct {
		user [][2]string
		cid  int64
		left string
	}{
		{nil, 0, "[]"},
		{[][2]string{{"cid", "11"}, {"a", "b"}}, 11, "[cid=11 a=b]"},
		{[][2]string{{"cid", "11"}, {"token", "x"}, {"timestamp", "7"}, {"cid", "11"}}, 11, "[cid=11 timestamp=7]"},
		{[][2]string{{"cid", "11"}, {"cid", "12"}}, -1, "[cid=11 cid=12]"},
		{[][2]string{{"cid", "11"}, {"cid", "12"}, {"cid", "12"}}, -1, "[cid=11 cid=12 cid=12]"},
		{[][2]string{{"cid", "011"}}, -1, "[cid=011]"},
		{[][2]string{{"cid", ""}, {"cid", "11"}}, -1, "[cid= cid=11]"},
		{[][2]string{{"cid", "-1"}, {"cid", "-1"}}, -1, "[cid=-1 cid=-1]"},
		{[][2]string{{"cid", "0"}, {"cid", "11"}}, -1, "[cid=0 cid=11]"},
	} {
		var p wire.Properties
		for _, u := range row.user {
			p.User = append(p.User, wire.Pair{Name: []byte(u[0]), Value: []byte(u[1])})
		}
		cid := accountOf(&p)
		left := []string{}
		for _, u := range p.User {
			left = append(left, fmt.Sprintf("%s=%s", u.Name, u.Value))
		}
		if cid != row.cid || fmt.Sprint(left) != row.left {
			t.Errorf("%v: got %d %v, want %d %s", row.user, cid, left, row.cid, row.left)
		}
	}
}
