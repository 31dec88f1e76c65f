package stub

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

// streamPiece is what one write of a long answer carries.
const streamPiece = 64 << 10

// Stream serves long answers on ln until ctx ends: as many bytes as the query's limit says, in
// chunks if its offset is not 0. Here bytes count and not requests, so the standard library is
// cheap enough.
func Stream(ctx context.Context, ln net.Listener) error {
	piece := make([]byte, streamPiece)
	for i := range piece {
		piece[i] = padding[i%len(padding)]
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseInt(r.URL.Query().Get("limit"), 10, 64)
		if err != nil || n < 0 {
			http.Error(w, "limit says how many bytes", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if offset := r.URL.Query().Get("offset"); offset == "" || offset == "0" {
			w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		}
		for n > 0 && err == nil {
			var wrote int
			wrote, err = w.Write(piece[:min(n, streamPiece)])
			n -= int64(wrote)
		}
	})}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
