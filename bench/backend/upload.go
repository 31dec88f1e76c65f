package backend

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
)

// upload answers what multipart/form-data brought: one row for each part that is whole, with the
// length and digest of its content, so that a sender sees what arrived. Of other bodies, and of
// what is beyond maxBody, nothing is said.
func (c *call) upload() {
	kind, params, err := mime.ParseMediaType(c.kind)
	if err != nil || kind != "multipart/form-data" {
		return
	}
	parts := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return
		}
		sum := sha256.New()
		size, err := io.Copy(sum, part)
		if err != nil {
			return
		}
		fields, err := makeFields(Fields{"field": part.FormName(), "name": part.FileName(), "size": size,
			"sha256": hex.EncodeToString(sum.Sum(nil))})
		if err != nil {
			return
		}
		c.out.rows = c.shown.appendObject(sep(c.out.rows), fields)
	}
}
