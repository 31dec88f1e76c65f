package oracle

import "testing"

func TestJudge(t *testing.T) {
	mine := []int64{7, 9, 12}
	some := &Expect{Status: 200, IDs: []int64{7, 9}, Permitted: mine}
	partly := &Expect{Status: 200, IDs: []int64{7}, Denied: []int64{8}, Permitted: mine}
	many := &Expect{Status: 200, IDs: mine, Sum: "00ff", Permitted: mine}
	none := &Expect{Status: 403, Code: 6, Denied: []int64{8}, Permitted: mine}
	method := &Expect{Status: 403, Code: 8, Permitted: mine}
	nobody := &Expect{Status: 401, Code: 401}
	const denied = `{"errors":[{"code":6,"id":8,"reason":"access denied to '\/devices\/8'"}],"result":[`
	for _, row := range []struct {
		name   string
		expect *Expect
		status int
		body   string
		want   Finding
	}{
		{"as it should be", some, 200, `{"result":[{"id":7},{"id":9,"pad":"x"}]}`, OK},
		{"one id too many", some, 200, `{"result":[{"id":7},{"id":9},{"id":8}]}`, Leak},
		{"another id", some, 200, `{"result":[{"id":7},{"id":10}]}`, Leak},
		{"an id as text", some, 200, `{"result":[{"id":7},{"id":"x"}]}`, Leak},
		{"permitted, but not asked for", some, 200, `{"result":[{"id":7},{"id":9},{"id":12}]}`, WrongDenial},
		{"one id missing", some, 200, `{"result":[{"id":7}]}`, WrongDenial},
		{"all went through", some, 200, `{"result":[{"selector":"all"}]}`, Leak},
		{"cannot be read", some, 200, `{"result":`, Leak},
		{"denied", some, 403, denied + `]}`, WrongDenial},
		{"logged out", some, 401, `{"errors":[{"code":401}],"result":[]}`, WrongDenial},
		{"too slow", some, 504, `{"errors":[{"code":504}],"result":[]}`, Fault},
		{"no words", some, 503, ``, Fault},
		{"partly", partly, 200, denied + `{"id":7}]}`, OK},
		{"partly, without its error", partly, 200, `{"result":[{"id":7}]}`, WrongDenial},
		{"many", many, 200, `{"result":[{"ids":3,"sum":"00ff"}]}`, OK},
		{"many, another list", many, 200, `{"result":[{"ids":3,"sum":"00fe"}]}`, Leak},
		{"many, another number", many, 200, `{"result":[{"ids":4,"sum":"00ff"}]}`, Leak},
		{"nothing", none, 403, denied + `]}`, OK},
		{"nothing, in other words", none, 403, `{"errors":[{"code":6,"id":8,"reason":"no"}],"result":[]}`, WrongDenial},
		{"nothing, of another item", none, 403, `{"errors":[{"code":6,"id":9,"reason":"access denied to '\/devices\/9'"}],"result":[]}`, WrongDenial},
		{"nothing, passed on", none, 200, `{"result":[]}`, Leak},
		{"method", method, 403, `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`, OK},
		{"method, code 6", method, 403, denied + `]}`, WrongDenial},
		{"method, passed on", method, 204, ``, Leak},
		{"unknown token", nobody, 401, `{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}`, OK},
		{"unknown token, told to stay", nobody, 403, `{"errors":[{"code":8,"reason":"no"}],"result":[]}`, WrongDenial},
		{"unknown token, passed on", nobody, 200, `{"result":[{"id":7}]}`, Leak},
	} {
		if got := Judge(row.expect, row.status, []byte(row.body)); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

func TestZeroFindingIsNotOK(t *testing.T) {
	var f Finding
	if f == OK || f.String() != "fault" {
		t.Errorf("the zero finding is %v", f)
	}
}
