package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// stalled is the longest time without a byte.
const stalled = time.Minute

var errStalled = fmt.Errorf("nothing has come for %s", stalled)

// response is an answer and what was asked.
type response struct {
	*http.Response
	token bool // one was sent
}

// newClient returns the program's own client. Proxies are the environment's.
func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // lengths and ranges are the file's
	t.ResponseHeaderTimeout = stalled
	return &http.Client{Transport: t}
}

// ask sends a request for the file from a byte on, which the tag makes conditional:
// of another file all is wanted.
func (j *job) ask(ctx context.Context, method string, r remote, from int64, tag string) (*response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "t2sda")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		if tag != "" {
			req.Header.Set("If-Range", tag)
		}
	}
	client := *j.client
	client.CheckRedirect = redirect
	if method == http.MethodHead {
		client.CheckRedirect = redirectWithin
	}
	resp, err := client.Do(req)
	switch {
	case err == nil:
		return &response{resp, r.token != ""}, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errRedirect):
		return nil, err
	case unreached(err):
		return nil, &offlineError{err}
	}
	return nil, &passingError{err}
}

var errRedirect = errors.New("redirects lead nowhere")

// redirect follows where a server sends us, but not out of encryption.
func redirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 10:
		return fmt.Errorf("%w: %d of them", errRedirect, len(via))
	case req.URL.Scheme != "https" && via[0].URL.Scheme == "https":
		return fmt.Errorf("%w: from https to %s", errRedirect, req.URL.Redacted())
	case req.URL.Host != via[0].URL.Host:
		req.Header.Del("Authorization") // whatever the client itself would do
	}
	return nil
}

// redirectWithin follows the server's own redirects only: what it says of a file comes
// with the one that leads to a server of files.
func redirectWithin(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host {
		return http.ErrUseLastResponse
	}
	return redirect(req, via)
}

// continues reports whether a partial answer begins at that byte.
func (r *response) continues(from int64) bool {
	return strings.HasPrefix(r.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from))
}

// refusal says what a status means that is no success.
func (r *response) refusal() error {
	err := fmt.Errorf("the server says %s", r.Status)
	switch {
	case r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: it does not give this file to everybody", err)
	case r.StatusCode == http.StatusNotFound, r.StatusCode == http.StatusGone:
		return fmt.Errorf("%w: there is no such file (any more)", err)
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode >= 500:
		return &passingError{err}
	}
	return err
}

// watched reads a body, tells how far it is, and breaks off when nothing comes.
type watched struct {
	io.Reader
	cancel      context.CancelCauseFunc
	progress    func(done, total int) // MB
	done, total int64                 // bytes
	timer       *time.Timer
	late        atomic.Bool
	failed      bool // in reading, not in writing
}

func (w *watched) start() {
	w.timer = time.AfterFunc(stalled, func() {
		w.late.Store(true)
		w.cancel(errStalled)
	})
}

func (w *watched) stop() { w.timer.Stop() }

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.timer.Reset(stalled)
		w.done += int64(n)
		w.progress(int(w.done/1e6), int(w.total/1e6))
	}
	if err != nil && err != io.EOF {
		w.failed = true
		if w.late.Load() {
			err = errStalled
		}
	}
	return n, err
}

func isPassing(err error) bool {
	passing := new(passingError)
	return errors.As(err, &passing)
}
