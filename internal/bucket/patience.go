package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// patience says how often, and how soon, what has failed is tried again.
type patience struct {
	attempts int
	first    time.Duration // before the second attempt; then twice as long each time
	most     time.Duration
	whole    time.Duration // of one attempt
	stall    time.Duration // until an answer begins
}

// usual outlasts a server's restart: about a minute.
var usual = patience{attempts: 10, first: 250 * time.Millisecond, most: 20 * time.Second, whole: 5 * time.Minute, stall: 30 * time.Second}

// patiently does what asks the bucket for name, again after what may pass: errors of
// the network, answers that end early, a server that is busy or broken. Between the
// attempts lies a random time between half of a bound that doubles and all of it ("equal jitter"), so that
// many processes do not come back at once. Errors name what was asked for.
func (b *Bucket) patiently(ctx context.Context, name string, do func(ctx context.Context) error) error {
	wait := b.patience.first
	for attempt := 1; ; attempt++ {
		once, cancel := context.WithTimeout(ctx, b.patience.whole)
		err := do(once)
		cancel()
		var unknown *keysError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", name, ctx.Err())
		case errors.As(err, &unknown): // no answer of the bucket
			return fmt.Errorf("%s: %w", name, unknown)
		case !passing(err):
			return b.explain(name, err)
		case attempt == b.patience.attempts:
			return fmt.Errorf("%s: given up after %d attempts: %w", name, attempt, plain(err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", name, ctx.Err())
		case <-time.After(wait/2 + rand.N(wait/2) + 1):
		}
		wait = min(2*wait, b.patience.most)
	}
}

// status is the HTTP status of an answer, 0 without one.
func status(err error) int {
	var r *awshttp.ResponseError
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// passing reports whether the same request may succeed later.
func passing(err error) bool {
	s := status(err)
	return s < http.StatusMultipleChoices || s >= http.StatusInternalServerError || s == http.StatusTooManyRequests || s == http.StatusRequestTimeout
}

// plain is what a server has answered, or why it has not, without the client's frames
// around it.
func plain(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("the server says %d %s: %s", status(err), api.ErrorCode(), api.ErrorMessage())
	}
	var request *url.Error // which hides passwords
	if errors.As(err, &request) {
		return request
	}
	return err
}

// explain says what an answer that stays means.
func (b *Bucket) explain(name string, err error) error {
	var api smithy.APIError
	errors.As(err, &api)
	switch s := status(err); {
	case api != nil && api.ErrorCode() == "NoSuchBucket":
		return fmt.Errorf("%s: there is no bucket %q%s", name, b.name, b.where())
	case s == http.StatusNotFound:
		return fmt.Errorf("%s is gone: %w", name, fs.ErrNotExist)
	case s == http.StatusPreconditionFailed:
		return fmt.Errorf("%s has changed since the data set was opened: start anew (--resume goes on)", name)
	case s == http.StatusForbidden || s == http.StatusUnauthorized:
		return fmt.Errorf("%s: access is denied%s: do AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile or role in place of them, belong to somebody who may list and read it?%s %w", name, b.where(), b.whoever(), plain(err))
	case s == http.StatusMovedPermanently || s == http.StatusTemporaryRedirect || s == http.StatusBadRequest:
		return fmt.Errorf("%s: is AWS_REGION, or the profile's region, the bucket's? %w", name, plain(err))
	}
	return fmt.Errorf("%s: %w", name, plain(err))
}

// whoever tells of a bucket that is read as anybody, and why.
func (b *Bucket) whoever() string {
	if b.anybody == nil {
		return ""
	}
	return fmt.Sprintf(" (it was asked as anybody: %v)", b.anybody)
}

// where tells of a server that is not Amazon's.
func (b *Bucket) where() string {
	if b.endpoint == "" {
		return ""
	}
	return " at " + redacted(b.endpoint)
}

// redacted is a URL without a password.
func redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the endpoint"
	}
	return u.Redacted()
}
