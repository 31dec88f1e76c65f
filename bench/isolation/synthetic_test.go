package isolation

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// SyntheticBackend is a backend of very many devices that holds none of them: ids count upwards,
// and every account has as many as the next. It costs next to nothing, so that what is measured is
// the gateway.
type SyntheticBackend struct {
	Devices int
	Owners  []int64

	server   fasthttp.Server
	work     sync.WaitGroup
	readings atomic.Int64
}

// Start serves until Close, and returns the url.
func (h *SyntheticBackend) Start() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	h.server = fasthttp.Server{Handler: h.handle, NoDefaultDate: true, ReadBufferSize: 64 << 10}
	h.work.Go(func() { _ = h.server.Serve(ln) })
	return "http://" + ln.Addr().String(), nil
}

// Close ends the server.
func (h *SyntheticBackend) Close() {
	_ = h.server.Shutdown()
	h.work.Wait()
}

// Readings returns how often the last page of all devices was requested.
func (h *SyntheticBackend) Readings() int64 { return h.readings.Load() }

// ID returns the id of a device, Owner its account.
func (h *SyntheticBackend) ID(i int) int64      { return firstID + 1 + int64(i) }
func (h *SyntheticBackend) Owner(i int) int64   { return h.Owners[i%len(h.Owners)] }
func (h *SyntheticBackend) number(id int64) int { return int(id - firstID - 1) }

func (h *SyntheticBackend) handle(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("application/json")
	seg := strings.Split(strings.TrimPrefix(string(ctx.Path()), "/"), "/")
	b := append([]byte(nil), `{"result":[`...)
	switch {
	case len(seg) < 3 || seg[1] != "devices":
	case seg[2] == "all":
		from, most := ctx.QueryArgs().GetUintOrZero("offset"), ctx.QueryArgs().GetUintOrZero("limit")
		if from > 0 && from+most >= h.Devices {
			h.readings.Add(1)
		}
		for i := from; i < min(from+most, h.Devices); i++ {
			b = h.row(b, i)
		}
	default:
		for id := range strings.SplitSeq(seg[2], ",") {
			if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > firstID && h.number(n) < h.Devices {
				b = h.row(b, h.number(n))
			}
		}
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	ctx.SetBody(append(b, "]}"...))
}

func (h *SyntheticBackend) row(b []byte, i int) []byte {
	b = strconv.AppendInt(append(b, `{"id":`...), h.ID(i), 10)
	b = strconv.AppendInt(append(b, `,"cid":`...), h.Owner(i), 10)
	return append(b, "},"...)
}

// Quantiles returns the median, the 99th and the 99.9th percentile.
func Quantiles(took []time.Duration) (half, most, nearly time.Duration) {
	slices.Sort(took)
	n := len(took)
	return took[n/2], took[n*99/100], took[n*999/1000]
}
