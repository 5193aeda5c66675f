// Package interrupt says what an interrupt left behind. Work that ends because
// its context does returns the context's error, however that comes to be wrapped
// on its way: no image, setting or place that happened to be under way is at
// fault. Only what is said here reaches the user.
package interrupt

import (
	"context"
	"errors"
	"fmt"
)

// explained is an interrupt with what is to be said of it.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }

func (e *explained) Unwrap() error { return e.err }

// Explain returns err with what is to be said of it where it is an interrupt: how
// far the work has come, and how it is continued. Other errors are returned as
// they are.
func Explain(err error, format string, args ...any) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return &explained{fmt.Sprintf(format, args...), err}
}

// Text returns what the outermost [Explain] says of an interrupt, "" for nothing,
// and whether err is an interrupt at all.
func Text(err error) (string, bool) {
	if !errors.Is(err, context.Canceled) {
		return "", false
	}
	if e := new(explained); errors.As(err, &e) {
		return e.text, true
	}
	return "", true
}
