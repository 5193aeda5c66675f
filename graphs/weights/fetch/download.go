package fetch

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"t2sda/internal/atomicfile"
	"t2sda/internal/interrupt"
)

// remote is a file to download.
type remote struct {
	url    string
	token  string // for the server of url alone, not for those it redirects to; may be empty
	want   digest
	size   int64                 // bytes; -1: unknown
	refuse func(*response) error // explains a refusal; nil: [response.refusal]
}

// failuresInARow ends a download: so often the server has been asked and nothing came
// that had not come before.
const failuresInARow = 4

// download puts a file into the job's folder under a name, whole and compared with
// what is known of it. What an earlier try has left is continued.
func (j *job) download(ctx context.Context, r remote, name string) error {
	if there, err := j.there(name); err != nil || there {
		return errors.Join(err, r.check(filepath.Join(j.dir, name), name+" in "+j.dir))
	}
	host := hostOf(r.url)
	t := &transfer{j: j, remote: r, name: name, part: filepath.Join(j.dir, name+partSuffix), state: filepath.Join(j.dir, name+stateSuffix)}
	for failures := 0; ; {
		before := t.reached
		err := t.once(ctx)
		if err == nil {
			break
		}
		if t.reached > before {
			failures = 0
		}
		failures++
		if ctx.Err() != nil || !isPassing(err) || failures == failuresInARow {
			return fmt.Errorf("download from %s: %w", host, t.sayKept(err))
		}
		j.sayf("%s: %v: trying again", host, err)
		if err := j.pause(ctx, failures); err != nil {
			return err
		}
	}
	return t.finish()
}

// check compares a whole file with what is known.
func (r remote) check(file, what string) error {
	if st, err := os.Stat(file); err == nil && r.size >= 0 && st.Size() != r.size {
		return fmt.Errorf("%s is %d bytes long, the server's file %d: remove it, or fetch it again", what, st.Size(), r.size)
	}
	return r.want.check(file, what)
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return address
}

// pause waits before the server is asked again.
func (j *job) pause(ctx context.Context, failures int) error {
	wait := time.Second << (failures - 1)
	if j.backoff != nil {
		wait = j.backoff(failures)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

// passingError is a failure that another try may not have.
type passingError struct{ err error }

func (e *passingError) Error() string { return e.err.Error() }
func (e *passingError) Unwrap() error { return e.err }

// transfer is a download on its way.
type transfer struct {
	remote
	j           *job
	name        string
	part, state string // what has come, and what that is
	total       int64  // bytes of the whole file; 0: unknown
	reached     int64  // the most of its bytes that have come in this download
	resumed     bool   // on what an earlier answer has left
}

// partState says what a partial file is of.
type partState struct {
	URL  string `json:"url"`
	ETag string `json:"etag"`
}

// begun returns how many bytes are there that the file begins with, and by which tag
// the server knows it. Without a digest to compare with, no tag is no beginning.
func (t *transfer) begun() (int64, string) {
	var s partState
	text, err := os.ReadFile(t.state)
	if err != nil || json.Unmarshal(text, &s) != nil || s.URL != t.url || s.ETag == "" && !t.want.known() {
		return 0, ""
	}
	st, err := os.Stat(t.part)
	if err != nil {
		return 0, ""
	}
	return st.Size(), s.ETag
}

// once asks for what is missing and appends what comes.
func (t *transfer) once(ctx context.Context) error {
	from, tag := t.begun()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := t.j.ask(ctx, http.MethodGet, t.remote, from, tag)
	if err != nil {
		return err
	}
	defer resp.Body.Close() // only read
	switch resp.StatusCode {
	case http.StatusOK:
		from = 0
	case http.StatusPartialContent:
		if !resp.continues(from) {
			return t.forget(errors.New("the server sent another part than was asked for"))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return t.forget(errors.New("the server's file is shorter than what had come of it"))
	default:
		if t.refuse != nil {
			return t.refuse(resp)
		}
		return resp.refusal()
	}
	t.resumed, t.total = from > 0, 0
	if resp.ContentLength >= 0 {
		t.total = from + resp.ContentLength
	}
	if t.size >= 0 && t.total > 0 && t.total != t.size {
		return fmt.Errorf("the server sends %d bytes, the file has %d", t.total, t.size)
	}
	return t.append(cancel, resp, from)
}

// forget drops what had come, for another try.
func (t *transfer) forget(err error) error {
	return errors.Join(&passingError{err}, removeIfThere(t.state), removeIfThere(t.part))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// append writes the answer's body behind the first from bytes.
func (t *transfer) append(cancel context.CancelCauseFunc, resp *response, from int64) (err error) {
	f, err := os.OpenFile(t.part, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(from); err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(t.state, partState{t.url, strongTag(resp.Header.Get("ETag"))}); err != nil {
		return err
	}
	if from > 0 {
		t.j.sayf("%s: going on after %s", t.name, megabytes(from))
	}
	body := &watched{Reader: resp.Body, cancel: cancel, progress: t.progress(), done: from, total: t.total}
	body.start()
	defer body.stop()
	n, err := io.Copy(io.NewOffsetWriter(f, from), body)
	t.reached = max(t.reached, from+n)
	if errors.Is(err, errStalled) || err != nil && body.failed {
		return &passingError{fmt.Errorf("the connection broke after %s: %w", sizeOf(from+n, t.total), err)}
	}
	if err != nil {
		return err // of the disk
	}
	if t.total > 0 && from+n != t.total {
		return &passingError{fmt.Errorf("the connection ended after %s", sizeOf(from+n, t.total))}
	}
	return f.Sync()
}

func (t *transfer) progress() func(done, total int) {
	if t.j.Progress == nil || t.total <= 0 {
		return func(int, int) {}
	}
	return t.j.Progress(t.name, "MB")
}

// finish compares the file and gives it its name. One that was put together from
// several answers and is wrong has changed at the server.
func (t *transfer) finish() error {
	err := t.check(t.part, t.name)
	if err == nil {
		err = os.Rename(t.part, filepath.Join(t.j.dir, t.name))
	}
	if err != nil && t.resumed {
		err = fmt.Errorf("%w (what an earlier try had left of it was from another file, it may be: try again)", err)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(t.state), removeIfThere(t.part))
	}
	return removeIfThere(t.state)
}

// sayKept says of an error, or an interrupt, how much has come, so that nobody fears
// for it.
func (t *transfer) sayKept(err error) error {
	from, _ := t.begun()
	if from == 0 {
		return err
	}
	kept := fmt.Sprintf("%s of %s have come and are kept: the same command goes on from there", megabytes(from), t.name)
	return interrupt.Explain(fmt.Errorf("%w (%s)", err, kept), "interrupted; %s", kept)
}

// strongTag is an entity tag that stands for these very bytes; weak ones do not.
func strongTag(tag string) string {
	if strings.HasPrefix(tag, "W/") {
		return ""
	}
	return tag
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func sizeOf(n, total int64) string {
	if total > 0 {
		return fmt.Sprintf("%d of %d bytes", n, total)
	}
	return fmt.Sprintf("%d bytes", n)
}

// unreached reports errors of a server that was never spoken to.
func unreached(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	var certificate *tls.CertificateVerificationError // somebody else answers
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" || errors.As(err, &certificate)
}
