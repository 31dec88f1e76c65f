package proxy

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

var longRun = flag.Bool("long", false, "the full number of requests beside sieges, and of bytes of an answer")

// fasthttp keeps idle workers, their cleaner and a clock; it has no way to end them.
func TestMain(m *testing.M) {
	// Tests that are parallel wait far longer than they compute. Fuzzing has a worker for each.
	flag.Parse()
	fuzz := flag.Lookup("test.fuzz").Value.String() != ""
	if !fuzz && flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "8")
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).workerFunc"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}
