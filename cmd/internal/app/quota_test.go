package app

import (
	"reflect"
	"testing"
	"time"

	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/proxy/quota"
)

// What the documents of an account and its limit say is what bounds it.
func TestQuotaOfDocuments(t *testing.T) {
	zeros := `{"id":5,"cid":1`
	for _, b := range record.Bounds() {
		zeros += `,"` + b.Name + `":0`
	}
	none := quota.Account{ID: 11, Calls: quota.None, Traffic: quota.None}
	rows := []struct {
		account, limit string
		want           quota.Account
	}{
		{`{"id":11,"parent":1}`, "", none},
		{`{"id":11,"parent":1,"enabled":true}`, "", none},
		{`{"id":11,"parent":1,"enabled":false}`, "", quota.Account{ID: 11, Disabled: true, Calls: quota.None, Traffic: quota.None}},
		{`{"id":11,"limit_id":5}`, `{"id":5,"cid":1,"api_calls":100,"devices_count":10,"tokens_count":3,"calcs_count":-1}`,
			quota.Account{ID: 11, Calls: 100, Traffic: quota.None, BlockFor: time.Minute, Items: map[string]int64{"gw/devices": 10}}},
		{`{"id":11,"limit_id":5}`, `{"id":5,"cid":1,"api_traffic":1000,"blocking_duration":7}`,
			quota.Account{ID: 11, Calls: quota.None, Traffic: 1000, BlockFor: 7 * time.Second}},
	}
	for _, row := range rows {
		if got := quotaFrom(t, row.account, row.limit); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s %s:\ngot  %+v\nwant %+v", row.account, row.limit, got, row.want)
		}
	}
	if got := quotaFrom(t, `{"id":11,"limit_id":5}`, zeros+"}"); !got.Zero {
		t.Errorf("a limit of all zeros: got %+v", got)
	}
}

func quotaFrom(t *testing.T, account, limit string) quota.Account {
	t.Helper()
	v, err := record.Parse([]byte(account))
	if err != nil {
		t.Fatal(err)
	}
	of := admin.AccountOf(v)
	if limit == "" {
		return quotaOf(&of, admin.Limit{}, false)
	}
	if v, err = record.Parse([]byte(limit)); err != nil {
		t.Fatal(err)
	}
	return quotaOf(&of, admin.LimitOf(v), true)
}
