package ranks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// PeerError is what another rank has failed with.
type PeerError struct {
	Rank int
	Name string // of the rank, and of its machine
	Text string
	// Interrupted: that rank was told to stop.
	Interrupted bool
}

func (e *PeerError) Error() string { return e.Name + ": " + e.Text }

func (e *PeerError) Is(target error) bool { return e.Interrupted && target == context.Canceled }

// verdict is how a rank fares, as it tells the others.
type verdict struct {
	Error       string `json:"error,omitempty"`
	Interrupted bool   `json:"interrupted,omitempty"`
}

// Agree lets all ranks go on, or none: it returns nil if no rank brings an error, and
// otherwise that of the first rank which does. All ranks wait here for each other, so
// between two calls a rank may fail without leaving the others waiting for ever.
func (g *Group) Agree(err error) error {
	if g.Size() == 1 {
		return err
	}
	var mine []byte
	if err != nil {
		text, jsonErr := json.Marshal(verdict{err.Error(), errors.Is(err, context.Canceled)})
		if jsonErr != nil {
			return errors.Join(err, jsonErr)
		}
		mine = text
	}
	all, linkErr := g.texts(mine)
	if linkErr != nil {
		return errors.Join(err, linkErr)
	}
	for rank, text := range all {
		if len(text) == 0 {
			continue
		}
		if rank == g.Rank() {
			return err
		}
		var v verdict
		if err := json.Unmarshal(text, &v); err != nil {
			return fmt.Errorf("%s: %w", g.Name(rank), err)
		}
		return &PeerError{Rank: rank, Name: g.Name(rank), Text: v.Error, Interrupted: v.Interrupted}
	}
	return nil
}

// Any reports whether yes holds on any rank.
func (g *Group) Any(yes bool) (bool, error) {
	if g.Size() == 1 {
		return yes, nil
	}
	mine := uint8(0)
	if yes {
		mine = 1
	}
	all, err := Gather(g, g.Size(), []uint8{mine})
	if err != nil {
		return yes, err
	}
	for _, v := range all {
		yes = yes || v == 1
	}
	return yes, nil
}
