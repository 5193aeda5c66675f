package translate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"t2sda/internal/raster"
	"t2sda/internal/translator"
)

// Member is an engine of a [Mix].
type Member struct {
	Name   string
	Weight float64 // ≥ 0; images are drawn in proportion to it
	Engine Engine
}

// Mix translates each image by one of several engines, which the image's
// generator draws before the engine draws anything. The engine's abilities stay
// its own: a [Folder] gets the image's name, [FDA] works out the crop alone.
type Mix struct {
	members []Member
	total   float64
}

// NewMix returns the engine that draws from the members with a weight, in the
// order of their names whatever the order given. A single one is returned
// itself: nothing is drawn for it.
func NewMix(members ...Member) (Engine, error) {
	m := &Mix{}
	for _, member := range members {
		if !(member.Weight >= 0) {
			return nil, fmt.Errorf("translate: mix: weight %v of engine %s is negative or no number", member.Weight, member.Name)
		}
		if member.Weight > 0 {
			m.members = append(m.members, member)
			m.total += member.Weight
		}
	}
	switch {
	case len(m.members) == 0:
		return nil, errors.New("translate: mix: no engine has a weight")
	case math.IsInf(m.total, 1):
		return nil, errors.New("translate: mix: the weights sum to infinity")
	case len(m.members) == 1:
		return m.members[0].Engine, nil
	}
	slices.SortStableFunc(m.members, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return m, nil
}

// pick draws a member, with one draw from r.
func (m *Mix) pick(r *rand.Rand) int {
	u := r.Float64() * m.total
	for i, member := range m.members {
		if u < member.Weight {
			return i
		}
		u -= member.Weight
	}
	return len(m.members) - 1 // rounding
}

// Translate translates by an engine drawn from r. It fails for a [Folder],
// which needs the image's name: see [Mix.TranslateBatch].
func (m *Mix) Translate(r *rand.Rand, source, target *raster.Image) (*raster.Image, error) {
	return m.members[m.pick(r)].Engine.Translate(r, source, target)
}

// TranslateBatch draws each job's engine and translates the jobs of one engine
// together, with the abilities that it has (see [translator.All]).
func (m *Mix) TranslateBatch(ctx context.Context, jobs []translator.Job) ([]*raster.Image, error) {
	shares := make([][]int, len(m.members)) // per member: its jobs
	for i, j := range jobs {
		k := m.pick(j.Rand)
		shares[k] = append(shares[k], i)
	}
	out := make([]*raster.Image, len(jobs))
	for k, share := range shares {
		if len(share) == 0 {
			continue
		}
		own := make([]translator.Job, len(share))
		for n, i := range share {
			own[n] = jobs[i]
		}
		results, err := translator.All(ctx, m.members[k].Engine, own)
		if err != nil {
			return nil, fmt.Errorf("engine %s: %w", m.members[k].Name, err)
		}
		for n, i := range share {
			out[i] = results[n]
		}
	}
	return out, nil
}
