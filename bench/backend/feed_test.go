package backend

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestMessages(t *testing.T) {
	w := treeWorld(t)
	_, url := start(t, w, Options{})
	play(t, url, []row{
		{"GET /gw/devices/101/messages", 200, result("")},
		{`POST /gw/devices/101/messages [{"timestamp":20,"a":2},{"timestamp":10,"a":1}]`, 200, result("")},
		{`POST /gw/devices/102/messages {"timestamp":30.5}`, 200, result("")},
		{"GET /gw/devices/101,102/messages", 200, result(`{"a":2,"timestamp":20},{"a":1,"timestamp":10},{"timestamp":30.5}`)},
		{`GET /gw/devices/101/messages?data={"reverse":true,"fields":"a"}`, 200, result(`{"a":1},{"a":2}`)},
		{`GET /gw/devices/101,102/messages?data={"from":15,"to":25}`, 200, result(`{"a":2,"timestamp":20}`)},
		{`GET /gw/devices/101,102/messages?data={"count":2}`, 200, result(`{"a":2,"timestamp":20},{"a":1,"timestamp":10}`)},
		{`GET /gw/devices/101/messages?data={"count":4,"fields":"device.id,timestamp"}`, 200,
			result(`{"timestamp":20},{"timestamp":10},{"device.id":101,"timestamp":1700000000},{"device.id":101,"timestamp":1700000001}`)},
		{`GET /gw/devices/601,999/messages?data={"count":3,"fields":"device.id,timestamp","from":1800000000,"reverse":true,"to":1800000001}`,
			200, result(`{"device.id":601,"timestamp":1800000001},{"device.id":999,"timestamp":1800000000}`)},
		{`GET /gw/devices/101/logs?data={"count":1}`, 200, result(`{"event_code":1,"item_id":101,"timestamp":1700000000}`)},
		{"DELETE /gw/devices/101/messages", 200, result("")},
		{"GET /gw/devices/101/messages", 200, result("")},
		{"GET /gw/devices/101/messages?data={", 400,
			`{"errors":[{"code":2,"reason":"wrong data: count, reverse, from, to, fields"}],"result":[]}`},
		{`GET /gw/devices/999,7/messages?data={"count":1,"fields":"device.id"}`, 200,
			`{"errors":[{"code":4,"id":7,"reason":"'\/devices\/7' not found"}],"result":[{"device.id":999}]}`},
	})
}

// stream fetches count messages without holding them and returns the answer's length.
func stream(t *testing.T, url string, count int) (*http.Response, int64) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf(`%s/gw/devices/101,102/messages?data={"count":%d}`, url, count))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, n
}

// TestLongStream: the chunked answer has the length that the other announces, down to a single row
// and up to far more than a chunk.
func TestLongStream(t *testing.T) {
	w := treeWorld(t)
	_, chunked := start(t, w, Options{})
	_, announced := start(t, w, Options{ContentLength: true})
	for _, count := range []int{0, 1, 2, 3, 400_000} {
		a, n := stream(t, chunked, count)
		b, m := stream(t, announced, count)
		if a.ContentLength != -1 || b.ContentLength != n || m != n {
			t.Errorf("%d messages: got %d bytes chunked (%d), %d announced (%d)", count, n, a.ContentLength, m, b.ContentLength)
		}
		if want := int64(count) * 150; n < want {
			t.Errorf("%d messages: got %d bytes, want %d or more", count, n, want)
		}
	}
}

// TestStreamIsJSON also takes HTTP/1.0, which has no chunks.
func TestStreamIsJSON(t *testing.T) {
	_, url := start(t, treeWorld(t), Options{ChunkBytes: 100})
	c := dial(t, url)
	fmt.Fprintf(c, "GET /gw/devices/101,102/messages?data={\"count\":1000} HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Result []map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Result) != 1000 {
		t.Errorf("got %d messages, want 1000", len(got.Result))
	}
}

// TestFeedReads: whoever reads gets what is written to others, of the size that was promised.
func TestFeedReads(t *testing.T) {
	s := New(treeWorld(t), Options{ChunkBytes: 64})
	fresh := func() *feed {
		c := &call{s: s, w: s.world, coll: s.world.coll("gw/devices")}
		return c.feed([]*item{truck(t)}, timeRange{Count: 100}, false)
	}
	var written strings.Builder
	if _, err := fresh().WriteTo(&written); err != nil {
		t.Fatal(err)
	}
	f := fresh()
	size := f.size()
	read, err := io.ReadAll(f)
	if err != nil || string(read) != written.String() || int64(len(read)) != size {
		t.Errorf("got %d bytes, %v, want %d, promised %d", len(read), err, written.Len(), size)
	}
}

// TestFirstByte: a slow stream shows its head and first rows long before its end, which never comes
// here: Close ends the pause.
func TestFirstByte(t *testing.T) {
	for _, announce := range []bool{false, true} {
		_, url := start(t, treeWorld(t), Options{ChunkDelay: time.Hour, ContentLength: announce})
		resp, err := http.Get(url + `/gw/devices/101/messages?data={"count":100000}`)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 20_000)
		if _, err := io.ReadFull(resp.Body, buf); err != nil || !strings.HasPrefix(string(buf), `{"result":[{"device.id":101`) {
			t.Errorf("got %.40q, %v", buf, err)
		}
		_ = resp.Body.Close()
	}
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
