package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aclgate/proxy/debt"
	"aclgate/proxy/debt/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a peer by a URL.
func open(t *testing.T, url string) *Peer {
	t.Helper()
	p, err := Open(file(t, url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func file(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redis.url")
	if err := os.WriteFile(path, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Several gateways add up debts and sums; debts pass with time, sums do not, and both are forgotten.
func TestExchange(t *testing.T) {
	socket := redistest.Start(t).Socket
	hour := time.Hour.Microseconds()
	var gateways sync.WaitGroup
	for range 3 {
		p := open(t, "unix://"+socket)
		gateways.Go(func() {
			for range 20 {
				r := debt.Round{Keep: time.Hour, Names: []string{"a", "sum"}, Drains: []bool{true, false}, Amounts: []int64{hour, 1 << 40}}
				if got, err := p.Exchange(t.Context(), &r); err != nil || len(got) != 2 {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	gateways.Wait()
	p := open(t, "unix://"+socket)
	r := debt.Round{Since: 10 * time.Second, Keep: time.Millisecond, Names: []string{"sum", "a", "new"}, Drains: []bool{false, true, true}, Amounts: []int64{1, 0, 2e6}}
	got, err := p.Exchange(t.Context(), &r)
	if err != nil || got[0] != 60<<40+1 || got[1] > 60*hour || got[1] < 59*hour || got[2] != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	// new was 10 s earlier than now and is 8 s of debt short of owing something.
	if got, err = p.Exchange(t.Context(), &debt.Round{Names: []string{"new"}, Drains: []bool{true}, Amounts: []int64{9e6}}); err != nil || got[0] != 9e6 {
		t.Errorf("what had been empty: got %v, %v", got, err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if n := p.client.Exists(t.Context(), "aclgate:sum").Val(); n == 0 {
			break
		}
	}
	if keys := p.client.Keys(t.Context(), "*").Val(); len(keys) != 2 {
		t.Errorf("kept: %v", keys)
	}
	// The clock of the server was set back by an hour.
	p.client.Set(t.Context(), "aclgate:a", fmt.Sprintf("%d %d", 5*hour, time.Now().UnixMicro()+hour), 0)
	if got, err = p.Exchange(t.Context(), &debt.Round{Names: []string{"a"}, Drains: []bool{true}, Amounts: []int64{0}}); err != nil || got[0] != 5*hour {
		t.Errorf("after a clock that was set back: got %v, %v", got, err)
	}
}

// A round of many buckets takes several calls of the script.
func TestManyBuckets(t *testing.T) {
	p := open(t, "unix://"+redistest.Start(t).Socket)
	var r debt.Round
	for i := range 2*chunk + 7 {
		r.Names, r.Drains, r.Amounts = append(r.Names, fmt.Sprint(i)), append(r.Drains, true), append(r.Amounts, int64(i)*1e6)
	}
	got, err := p.Exchange(t.Context(), &r)
	if err != nil || len(got) != len(r.Names) {
		t.Fatalf("got %d totals, %v", len(got), err)
	}
	for i, n := range got {
		if n != int64(i)*1e6 {
			t.Fatalf("total %d: got %d", i, n)
		}
	}
}

// What is owed is read back: no sums, nothing that was paid off, nothing of others, and not more than
// wanted.
func TestDebts(t *testing.T) {
	p := open(t, "unix://"+redistest.Start(t).Socket)
	r := debt.Round{Keep: time.Hour, Names: []string{"sum", "paid"}, Drains: []bool{false, true}, Amounts: []int64{5, 0}}
	const n = 2*chunk + 7
	for i := range n {
		r.Names, r.Drains, r.Amounts = append(r.Names, fmt.Sprint("token:", i)), append(r.Drains, true), append(r.Amounts, int64(i+1)*1e9)
	}
	if _, err := p.Exchange(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if err := p.client.Set(t.Context(), "another", "7 7", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{n + 1, 5} {
		got := map[string]int64{}
		if err := p.Debts(t.Context(), most, func(name string, amount int64) { got[name] = amount }); err != nil {
			t.Fatal(err)
		}
		if len(got) != min(most, n) {
			t.Errorf("got %d debts, want %d", len(got), min(most, n))
		}
		for name, amount := range got {
			var i int64
			if _, err := fmt.Sscanf(name, "token:%d", &i); err != nil || amount > (i+1)*1e9 || amount < (i+1)*1e9-1e9 {
				t.Errorf("%s: got %d", name, amount)
			}
		}
	}
}

// What is wrong with a Redis is said in words, and never with its password.
func TestFaults(t *testing.T) {
	socket := redistest.Start(t, "--requirepass", "hunter2").Socket
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts and says nothing
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	round := func() *debt.Round {
		return &debt.Round{Names: []string{"a"}, Drains: []bool{true}, Amounts: []int64{1}}
	}
	for url, says := range map[string]string{
		"unix://" + socket:                                   "password",
		"unix://:hunter3@" + socket:                          "refuses",
		"redis://:hunter3@" + l.Addr().String():              "does not answer in time",
		"redis://:hunter3@" + closed.Addr().String() + "/3":  "cannot be reached",
		"rediss://:hunter3@" + closed.Addr().String() + "/3": "cannot be reached",
	} {
		p := open(t, url)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := p.Exchange(ctx, round())
		cancel()
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter3") {
			t.Errorf("%s: got %v, want %q", url, err, says)
		}
	}
	p := open(t, "unix://:hunter2@"+socket)
	if _, err := p.Exchange(t.Context(), round()); err != nil {
		t.Error(err)
	}
	p.client.Do(t.Context(), "ACL", "SETUSER", "gate", "on", ">hunter2", "~aclgate:*", "+eval", "+evalsha", "+get", "+set", "+incrby", "+pexpire", "+scan", "+time")
	if _, err := open(t, "unix://gate:hunter2@"+socket).Exchange(t.Context(), round()); err != nil {
		t.Errorf("a user with no more rights than the docs name: %v", err)
	}
	p.client.Do(t.Context(), "ACL", "SETUSER", "gate", "-set")
	if _, err := open(t, "unix://gate:hunter2@"+socket).Exchange(t.Context(), round()); err == nil || !strings.Contains(err.Error(), "may not") {
		t.Errorf("a user that may not: got %v", err)
	}
	p.client.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1")
	if _, err := p.Exchange(t.Context(), round()); err == nil || !strings.Contains(err.Error(), "name the primary") {
		t.Errorf("a replica: got %v", err)
	}
}

func TestURL(t *testing.T) {
	for url, want := range map[string]error{
		"redis://u:hunter2@db.example.com:6379/1": nil, "rediss://u:hunter2@db.example.com": nil, "unix:///run/redis.sock": nil,
		"hunter2": errURL, "": errURL, "http://u:hunter2@db": errURL, "redis://u:hunter2@db:port": errURL, "redis://u:hunter2@db/hunter2": errURL,
		"redis://u:hunter2@db?hunter2=1": errURL, "rediss://u:hunter2@db?skip_verify=true": errSkip, "redis:///1": errURL,
	} {
		p, err := Open(file(t, url))
		if !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %v", url, err, want)
		}
		if err == nil {
			if plain := strings.HasPrefix(url, "redis://"); p.Plain() != plain {
				t.Errorf("%s: got plain %t", url, p.Plain())
			}
			p.Close()
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "hunter2")); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
