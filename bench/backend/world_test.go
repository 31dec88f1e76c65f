package backend

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// treeWorld has accounts 400 → 500 → 501, 600 below 400, and 777 apart.
func treeWorld(t testing.TB) *World {
	t.Helper()
	w := NewWorld(Account{400, 0, "root"}, Account{500, 400, "fleet"}, Account{501, 500, "depot"},
		Account{600, 400, "sibling"}, Account{777, 0, "foreign"})
	for _, d := range []struct {
		id, cid int64
		name    string
	}{{101, 500, "truck-1"}, {102, 500, "truck-2"}, {201, 501, "truck-9"}, {601, 600, "truck-6"}, {999, 777, "truck-x"}} {
		if err := w.Add("gw/devices", Item{ID: d.id, CID: d.cid, Fields: Fields{"name": d.name}}); err != nil {
			t.Fatal(err)
		}
	}
	for id, cid := range map[int64]int64{12: 500, 66: 600} {
		if err := w.Add("gw/groups", Item{ID: id, CID: cid, Fields: Fields{"name": "g"}}); err != nil {
			t.Fatal(err)
		}
	}
	w.Link("gw/groups", 12, "devices", 101, 601)
	w.Link("gw/groups", 66, "devices", 601)
	return w
}

const (
	noDevice101 = `{"errors":[{"code":4,"id":101,"reason":"'\/devices\/101' not found"}],"result":[]}`
	noDevice999 = `{"errors":[{"code":4,"id":999,"reason":"'\/devices\/999' not found"}],"result":`
)

func TestScope(t *testing.T) {
	_, url := start(t, treeWorld(t), Options{})
	play(t, url, []row{
		{"GET /gw/devices/all?fields=id", 200, result(`{"id":101},{"id":102},{"id":201},{"id":601},{"id":999}`)},
		{"GET /platform/subaccounts/all?fields=id,cid", 200, result(`{"cid":0,"id":400},{"cid":400,"id":500},` +
			`{"cid":500,"id":501},{"cid":400,"id":600},{"cid":0,"id":777}`)},
	})
	play(t, url, []row{
		{"GET /gw/devices/all?fields=id,cid", 200,
			result(`{"cid":500,"id":101},{"cid":500,"id":102},{"cid":501,"id":201}`)},
		{"GET /gw/devices/999,101", 200, noDevice999 + `[{"cid":500,"id":101,"name":"truck-1"}]}`},
		{"GET /gw/devices/999", 404, noDevice999 + `[]}`},
		{"DELETE /gw/devices/999", 404, noDevice999 + `[]}`},
		{"GET /gw/devices/999/messages", 404, noDevice999 + `[]}`},
		{"GET /gw/devices/name=truck-6?fields=id", 200, result("")},
		{"GET /platform/subaccounts/all?fields=id", 200, result(`{"id":501}`)},
		{`POST /gw/devices?fields=id,cid,name [{"name":"a"},{"name":"b","cid":501,"id":7}]`, 200,
			result(`{"cid":500,"id":1000,"name":"a"},{"cid":501,"id":1001,"name":"b"}`)},
		{`POST /gw/devices {"cid":600}`, 400, `{"errors":[{"code":2,"reason":"wrong cid"}],"result":[]}`},
		{`PUT /gw/devices/101/cid?fields=cid {"cid":501}`, 200, result(`{"cid":501}`)},
		{`PUT /gw/devices/101/cid {"cid":600}`, 403,
			`{"errors":[{"code":6,"id":600,"reason":"access denied to account '\/subaccounts\/600'"}],"result":[]}`},
	}, "x-flespi-cid", "500")
	play(t, url, []row{
		{"GET /gw/devices/all?fields=id", 200, result(`{"id":101},{"id":201},{"id":1001}`)},
	}, "x-flespi-cid", "501")
	for cid, want := range map[string]int{"123": 403, "0500": 400, "all": 400} {
		if got, body := ask(t, url, "GET /gw/devices/all", "x-flespi-cid", cid); got != want {
			t.Errorf("cid %s: got %d %s, want %d", cid, got, body, want)
		}
	}
}

// TestRoot: the backend's key belongs to an account, which bounds the header.
func TestRoot(t *testing.T) {
	_, url := start(t, treeWorld(t), Options{Root: 400})
	play(t, url, []row{{"GET /gw/devices/all?fields=id", 200, result(`{"id":101},{"id":102},{"id":201},{"id":601}`)}})
	if got, _ := ask(t, url, "GET /gw/devices/all", "x-flespi-cid", "777"); got != 403 {
		t.Errorf("a foreign account: got %d, want 403", got)
	}
}

func TestBackendsWithoutAccounts(t *testing.T) {
	w := treeWorld(t)
	_, ignoring := start(t, w, Options{IgnoreCID: true})
	play(t, ignoring, []row{
		{"GET /gw/devices/999", 200, result(`{"cid":777,"id":999,"name":"truck-x"}`)},
	}, "x-flespi-cid", "500")
	_, bare := start(t, w, Options{IgnoreCID: true, NoCIDField: true})
	play(t, bare, []row{
		{"GET /gw/devices/999", 200, result(`{"id":999,"name":"truck-x"}`)},
		{"GET /gw/devices/999?fields=id,cid", 200, result(`{"id":999}`)},
	}, "x-flespi-cid", "500")
}

func TestPaging(t *testing.T) {
	w := treeWorld(t)
	_, url := start(t, w, Options{})
	play(t, url, []row{
		{"GET /gw/devices/all?fields=id&limit=2", 200, result(`{"id":101},{"id":102}`)},
		{"GET /gw/devices/all?fields=id&limit=2&offset=2", 200, result(`{"id":201},{"id":601}`)},
		{"GET /gw/devices/all?fields=id&limit=2&offset=4", 200, result(`{"id":999}`)},
		{"GET /gw/devices/name=truck-*?fields=id&offset=3", 200, result(`{"id":601},{"id":999}`)},
		{"GET /gw/devices/999,101,102?fields=id&limit=1&offset=1", 200, result(`{"id":101}`)},
		{"GET /gw/devices/all?fields=id&limit=0", 200, result("")},
	})
	_, whole := start(t, w, Options{NoPaging: true})
	play(t, whole, []row{{"GET /gw/devices/101,102?fields=id&limit=1", 200, result(`{"id":101},{"id":102}`)}})
}

func TestChanges(t *testing.T) {
	_, url := start(t, treeWorld(t), Options{})
	const fields = "?fields=configuration,name"
	play(t, url, []row{
		{"PUT /gw/devices/101" + fields + ` {"configuration":{"a":1,"b":9007199254740993}}`, 200,
			result(`{"configuration":{"a":1,"b":9007199254740993},"name":"truck-1"}`)},
		{"PATCH /gw/devices/101" + fields + ` {"configuration":{"c":{"d":"<&>"}}}`, 200,
			result(`{"configuration":{"a":1,"b":9007199254740993,"c":{"d":"<&>"}},"name":"truck-1"}`)},
		{"GET /gw/devices/101?fields=configuration.c.d,configuration.a,nothing,name.x", 200,
			result(`{"configuration":{"a":1,"c":{"d":"<&>"}}}`)},
		{"PUT /gw/devices/101,102?fields=name&data=" + escape(`[{"id":102,"name":"é"}]`), 200,
			result(`{"name":"truck-1"},{"name":"é"}`)},
		{"PUT /gw/devices/101?fields=id null", 200, result(`{"id":101}`)},
		{"DELETE /gw/devices/101?fields=id", 200, result(`{"id":101}`)},
		{"GET /gw/devices/101", 404, noDevice101},
		{"GET /gw/groups/12/devices/all", 200, result(`{"device_id":601,"group_id":12}`)},
	})
	for _, line := range []string{"PUT /gw/devices/102 7", "PUT /gw/devices/102 {", "POST /gw/devices [1]",
		`PUT /gw/devices/102 {"cid":"500"}`, "PUT /gw/devices/102/cid null", "POST /gw/devices {}{}"} {
		if status, body := ask(t, url, line); status != 400 {
			t.Errorf("%s: got %d %s, want 400", line, status, body)
		}
	}
}

func TestLinks(t *testing.T) {
	_, url := start(t, treeWorld(t), Options{})
	play(t, url, []row{
		{"GET /gw/groups/12,66/devices/all?fields=group_id,device_id", 200, result(`{"device_id":101,"group_id":12},` +
			`{"device_id":601,"group_id":12},{"device_id":601,"group_id":66}`)},
		{"GET /gw/groups/all/devices/601?fields=group_id", 200, result(`{"group_id":12},{"group_id":66}`)},
		{"GET /gw/groups/12/devices/102", 200, result("")},
		{"GET /gw/groups/all/devices/group_id=66", 200, result(`{"device_id":601,"group_id":66}`)},
		{"GET /gw/groups/12/devices", 404, `{"errors":[{"code":4,"reason":"not found: GET"}],"result":[]}`},
	})
	play(t, url, []row{
		{"GET /gw/devices/groups=12?fields=id", 200, result(`{"id":101},{"id":601}`)},
		{"GET /gw/devices/groups=13?fields=id", 200, result("")},
		{"GET /gw/devices/groups=66,name=truck*?fields=id", 200, result(`{"id":601}`)},
	})
	// In the scope of 500 its group has one member: 601 does not exist there.
	play(t, url, []row{
		{"GET /gw/groups/all/devices/all", 200, result(`{"device_id":101,"group_id":12}`)},
		{"POST /gw/groups/12/devices/102,999 null", 200, noDevice999 + `[{"device_id":102,"group_id":12}]}`},
		{"DELETE /gw/groups/12/devices/101", 200, result(`{"device_id":101,"group_id":12}`)},
		{"GET /gw/groups/all/devices/all?fields=device_id", 200, result(`{"device_id":102}`)},
		{"DELETE /gw/groups/12/devices/all", 200, result(`{"device_id":102,"group_id":12}`)},
		{"GET /gw/groups/12/devices/all", 200, result("")},
		{"GET /gw/groups/66/devices/all", 404,
			`{"errors":[{"code":4,"id":66,"reason":"'\/groups\/66' not found"}],"result":[]}`},
	}, "x-flespi-cid", "500")
}

func TestSubmodules(t *testing.T) {
	_, url := start(t, DemoWorld(), Options{})
	play(t, url, []row{
		{"GET /gw/devices/101/telemetry/position.altitude", 200,
			result(`{"id":101,"telemetry":{"position.altitude":{"ts":1706905852,"value":412.1}}}`)},
		{"DELETE /gw/devices/101/telemetry/position", 200, result(`{"id":101,"telemetry":{}}`)},
		{"GET /gw/devices/101/telemetry", 200,
			result(`{"id":101,"telemetry":{"ident":{"ts":1706905852,"value":"352625333222111"}}}`)},
		{`PUT /gw/devices/102/settings/apn {"name":"internet"}`, 200,
			result(`{"id":102,"settings":{"apn":{"name":"internet"}}}`)},
		{"DELETE /gw/devices/102/settings/backend_server", 200, result(`{"id":102,"settings":{}}`)},
		{"GET /gw/devices/101,102/connections/all", 200, result(`{"connections":[],"id":101},{"connections":[],"id":102}`)},
		{`POST /gw/devices/101/commands [{"name":"custom","properties":{"payload":"X"}}]`, 200,
			result(`{"device_id":101,"executed":true,"expires":0,"id":1707402602954333,"name":"custom","position":1,` +
				`"properties":{"payload":"X"},"response":null,"timestamp":1707402602}`)},
		{"GET /gw/calcs/21/devices/101/intervals/all", 200, result("")},
		{"GET /gw/devices/101/logs/calculate", 200, result("")},
	})
}

// What is below an item is among its fields too, for who asks: by name, by a pattern, in other letters,
// in data, at a linked place, and by what a match finds.
func TestFieldsOfSubmodules(t *testing.T) {
	w := treeWorld(t)
	for i, speed := range []int{3, 4} {
		def := Item{ID: 301 + int64(i), CID: 500, Telemetry: Fields{"speed": Fields{"ts": 1, "value": speed}}}
		if err := w.Add("gw/devices", def); err != nil {
			t.Fatal(err)
		}
	}
	w.Link("gw/groups", 12, "devices", 301)
	_, url := start(t, w, Options{})
	const telemetry = `"telemetry":{"speed":{"ts":1,"value":3}}`
	play(t, url, []row{
		{"GET /gw/devices/301", 200, result(`{"cid":500,"id":301}`)},
		{"GET /gw/devices/301?fields=id,telemetry", 200, result(`{"id":301,` + telemetry + `}`)},
		{"GET /gw/devices/301?fields=telemetry.speed", 200, result(`{` + telemetry + `}`)},
		{"GET /gw/devices/301?fields=Tele*,id", 200, result(`{"id":301,` + telemetry + `}`)},
		{"GET /gw/devices/301?fields=*", 200, result(`{"cid":500,"id":301,` + telemetry + `}`)},
		{"GET /gw/devices/301?data=" + escape(`{"fields":["telemetry"]}`), 200, result(`{` + telemetry + `}`)},
		{"GET /gw/devices/all?data=" + escape(`{"fields":"id","filter":"telemetry.speed>3"}`), 200, result(`{"id":302}`)},
		{"GET /gw/devices/telemetry.speed=3?fields=id", 200, result(`{"id":301}`)},
		{"GET /gw/devices/{telemetry.speed>2}?fields=id", 200, result(`{"id":301},{"id":302}`)},
		{"GET /gw/groups/12/devices/301?fields=device_id,telemetry", 200, result(`{"device_id":301,` + telemetry + `}`)},
		{"PUT /gw/devices/301?fields=telemetry null", 200, result(`{` + telemetry + `}`)},
	})
}

// TestConcurrent is for the race detector: readers, writers and the world's own methods at once;
// whatever a reader sees is whole.
func TestConcurrent(t *testing.T) {
	w := treeWorld(t)
	_, url := start(t, w, Options{Record: 4})
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 30 {
				ask(t, url, fmt.Sprintf(`PUT /gw/devices/101 {"speed":%d}`, i))
				ask(t, url, `POST /gw/devices/102/messages [{"timestamp":1}]`)
				if _, body := ask(t, url, "GET /gw/devices/all"); !strings.HasSuffix(body, "]}") {
					t.Errorf("got %s", body)
				}
				ask(t, url, `GET /gw/devices/102/messages?data={"count":5}`)
				_ = w.Move("gw/devices", 201, int64(500+n%2))
				w.Delete("gw/devices", 601)
				w.Link("gw/groups", 12, "devices", 102)
			}
		})
	}
	all.Wait()
}
