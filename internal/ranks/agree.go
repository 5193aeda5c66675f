package ranks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Ended reports whether the ranks have agreed on an error, or to stop: all of them end.
func (g *Group) Ended() bool { return g.ended }

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

// AloneError is an error of which other ranks cannot be told: they wait elsewhere than in
// [Group.Agree], and would do so for ever. From then on the group speaks with nobody, every
// call returns the error at once, and the rank that has it ends the job.
type AloneError struct{ Err error }

func (e *AloneError) Error() string { return e.Err.Error() }

func (e *AloneError) Unwrap() error { return e.Err }

// alone remembers an [AloneError], and returns the first there was.
func (g *Group) alone(err error) error {
	if g.silent == nil && errors.As(err, new(*AloneError)) {
		g.silent = err
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
	_, err = g.exchange(err, false)
	return err
}

// Stop is [Group.Agree] for ranks that may have been told to stop: it reports whether any
// was.
func (g *Group) Stop(wanted bool) (bool, error) { return g.exchange(nil, wanted) }

// exchange tells the others how this rank fares.
func (g *Group) exchange(err error, stop bool) (bool, error) {
	if g.Size() == 1 {
		return stop, err
	}
	if alone := g.alone(err); alone != nil {
		return stop, alone
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
