package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"t2sda/internal/catalog"
	"t2sda/internal/shards"
)

// Section returns size bytes from at on, of the cache or else of the bucket. They are
// held in memory: what is asked for are images.
func (o *Object) Section(ctx context.Context, at, size int64) (catalog.Section, error) {
	name := o.cacheName(at, size)
	if b, ok := o.bucket.cache.get(name); ok && int64(len(b)) == size {
		return held{bytes.NewReader(b)}, nil
	}
	b, err := o.fetch(ctx, at, size)
	if err != nil {
		return nil, err
	}
	o.bucket.cache.put(name, b)
	return held{bytes.NewReader(b)}, nil
}

// held is a section in memory.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }

// cacheName names what the cache keeps of the object.
func (o *Object) cacheName(at, size int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", at, size, o.ID()))
	return hex.EncodeToString(sum[:16])
}

// fetch gets size bytes from at on.
func (o *Object) fetch(ctx context.Context, at, size int64) (content []byte, err error) {
	if size == 0 {
		return nil, nil
	}
	in := &s3.GetObjectInput{Bucket: &o.bucket.name, Key: &o.key}
	if o.etag != "" {
		in.IfMatch = &o.etag
	}
	if at > 0 || size < o.size {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", at, at+size-1))
	}
	err = o.bucket.patiently(ctx, o.Name(), func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		out, err := o.bucket.api.GetObject(ctx, in)
		if err != nil {
			return err
		}
		defer out.Body.Close()
		content, err = read(&watched{body: out.Body, stall: o.bucket.patience.stall, cancel: cancel}, size)
		if err != nil && context.Cause(ctx) != nil {
			err = context.Cause(ctx) // which is why the body ended
		}
		return err
	})
	return content, err
}

// read reads a body of size bytes, as they come: memory is taken for what is there.
func read(body io.Reader, size int64) ([]byte, error) {
	var buf bytes.Buffer
	if n, err := buf.ReadFrom(io.LimitReader(body, size+1)); err != nil {
		return nil, fmt.Errorf("after %d of %d bytes: %w", n, size, err)
	}
	if n := int64(buf.Len()); n != size {
		return nil, fmt.Errorf("%d bytes came in place of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return buf.Bytes(), nil
}

// watched cancels a request whose body makes no progress.
type watched struct {
	body   io.Reader
	stall  time.Duration
	cancel context.CancelCauseFunc
}

func (w *watched) Read(p []byte) (int, error) {
	alarm := time.AfterFunc(w.stall, func() { w.cancel(fmt.Errorf("nothing came for %v", w.stall)) })
	defer alarm.Stop()
	return w.body.Read(p)
}

// ahead is how much is fetched at once for the headers of an archive, bytes: of shards
// with small files, many lie in it.
const ahead = 128 << 10

// Reader opens the object for small reads at rising places.
func (o *Object) Reader(ctx context.Context) (shards.Reader, error) {
	return &reader{ctx: ctx, o: o}, nil
}

// reader keeps what was fetched last. It is for one goroutine.
type reader struct {
	ctx  context.Context // of the one work that it is opened for
	o    *Object
	at   int64
	have []byte
}

func (r *reader) Close() error { return nil }

func (r *reader) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at >= r.o.size {
			return n, io.EOF
		}
		if at < r.at || at >= r.at+int64(len(r.have)) {
			r.at = at
			if r.have, err = r.o.fetch(r.ctx, at, min(ahead, r.o.size-at)); err != nil {
				return n, err
			}
		}
		k := copy(p[n:], r.have[at-r.at:])
		n, at = n+k, at+int64(k)
	}
	return n, nil
}
