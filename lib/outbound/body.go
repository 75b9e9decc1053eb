package outbound

import (
	"fmt"
	"io"
)

// errTooLarge stands for an answer that no service gives.
var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

// boundedBody is the body of an answer that may not be larger than maxBody.
type boundedBody struct {
	body io.ReadCloser
	left int64 // bytes that may still come
}

// Read fails once more was read than is left.
func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 { // one more, to tell the end from the excess
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n, b.left = int(b.left), 0
		return n, errTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// Close reads a short rest, so that the connection can be used again: the
// vendors' libraries leave the bodies of failures unread.
func (b *boundedBody) Close() error {
	_, _ = io.CopyN(io.Discard, b.body, 16<<10)
	return b.body.Close()
}
