package ranks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Ended reports whether the ranks have agreed on an error, or to stop: all of them end.
func (g *Group) Ended() bool { return g != nil && g.ended }

// PeerError is what another rank has failed with.
type PeerError struct {
	Name string // of the rank, and of its machine
	Text string
	Mark string // what the error called itself, see [Marked]; may be empty
	// Interrupted: that rank was told to stop.
	Interrupted bool
}

func (e *PeerError) Error() string { return e.Name + ": " + e.Text }

// Is lets an interrupt be known as one.
func (e *PeerError) Is(target error) bool { return e.Interrupted && target == context.Canceled }

// Marked is an error that says of itself what other ranks are to know of it besides its
// text.
type Marked interface {
	error
	Mark() string
}

// AloneError is an error of which other ranks cannot be told, see [Group.Alone].
type AloneError struct{ Err error }

func (e *AloneError) Error() string { return e.Err.Error() }

func (e *AloneError) Unwrap() error { return e.Err }

// EndBy sets what ends the job when this rank is alone with an error. It is called once, by
// [Group.Alone], before anything is closed or waited for, and need not return.
func (g *Group) EndBy(end func(err error)) { g.end = end }

// Alone makes an error one of which other ranks cannot be told: they wait elsewhere than in
// [Group.Agree], and would do so for ever. The job is ended as [Group.EndBy] says. From then
// on the group speaks with nobody, and every call returns the error at once.
func (g *Group) Alone(err error) error {
	if g.silent != nil {
		return g.silent
	}
	g.silent = &AloneError{err}
	if g.end != nil {
		g.end(g.silent)
	}
	return g.silent
}

// verdict is how a rank fares, as it tells the others. Of one that fares well nothing is
// told.
type verdict struct {
	Error       string `json:"error,omitempty"`
	Mark        string `json:"mark,omitempty"`
	Interrupted bool   `json:"interrupted,omitempty"`
	Stop        bool   `json:"stop,omitempty"`
}

func verdictOf(err error, stop bool) verdict {
	v := verdict{Stop: stop}
	if err != nil {
		v.Error, v.Interrupted = err.Error(), errors.Is(err, context.Canceled)
		if m := Marked(nil); errors.As(err, &m) {
			v.Mark = m.Mark()
		}
	}
	return v
}

// Agree lets all ranks go on, or none: it returns nil if no rank brings an error, and
// otherwise that of the first rank which does. All ranks wait here, or in [Group.Stop],
// for each other, so between two calls a rank may fail without leaving the others waiting
// for ever.
func (g *Group) Agree(err error) error {
	_, err = g.fares(err, false)
	return err
}

// Stop is [Group.Agree] for ranks that may have been told to stop: it reports whether any
// was.
func (g *Group) Stop(wanted bool) (bool, error) { return g.fares(nil, wanted) }

// fares tells the others how this rank does, and listens how they do.
func (g *Group) fares(err error, stop bool) (bool, error) {
	if g.Size() == 1 {
		return stop, err
	}
	if g.silent != nil {
		return stop, g.silent
	}
	var mine []byte
	if v := verdictOf(err, stop); v != (verdict{}) {
		text, jsonErr := json.Marshal(v)
		if jsonErr != nil {
			return stop, errors.Join(err, jsonErr)
		}
		mine = text
	}
	all, linkErr := Texts(g, mine)
	if linkErr != nil {
		return stop, errors.Join(err, linkErr)
	}
	var first error
	for rank, text := range all {
		var v verdict
		if len(text) == 0 {
			continue
		}
		if err := json.Unmarshal(text, &v); err != nil {
			return stop, fmt.Errorf("%s: %w", g.Name(rank), err)
		}
		stop = stop || v.Stop
		switch {
		case first != nil || v.Error == "":
		case rank == g.Rank():
			first = err
		default:
			first = &PeerError{Name: g.Name(rank), Text: v.Error, Mark: v.Mark, Interrupted: v.Interrupted}
		}
	}
	g.ended = g.ended || stop || first != nil
	return stop, first
}
