package proxy

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var longRun = flag.Bool("long", false, "the full number of requests beside sieges")

// fasthttp keeps idle workers, their cleaner and a clock; it has no way to end them.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).workerFunc"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}
