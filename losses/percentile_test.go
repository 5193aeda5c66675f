package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Golden values of numpy.percentile 2.4.6 on the same float32 values.
func TestPercentileEqualsNumpy(t *testing.T) {
	a := []float32{0.1, 0.9, 0.5, 0.3, 0.7}
	b := []float32{-1.5, 2.25, -0.5, 2.25, 7, 2.25, -3.75, 0}
	for _, k := range []struct {
		values  []float32
		p, want float64
	}{
		{a, 0, 0.10000000149011612},
		{a, 10, 0.18000000566244126},
		{a, 25, 0.30000001192092896},
		{a, 33.3, 0.3664000079631805},
		{a, 50, 0.5},
		{a, 62.5, 0.5999999940395355},
		{a, 75, 0.699999988079071},
		{a, 90, 0.8199999809265137},
		{a, 100, 0.8999999761581421},
		{b, 0, -3.75},
		{b, 5, -2.9625},
		{b, 14.2, -1.5135000000000003},
		{b, 50, 1.125},
		{b, 60, 2.25},
		{b, 85, 2.25},
		{b, 95, 5.337499999999998},
		{b, 100, 7},
	} {
		if got := Percentile(k.values, k.p); math.Abs(got-k.want) > 1e-15*math.Abs(k.want) {
			t.Errorf("percentile %g of %v: got %.17g, want %.17g", k.p, k.values, got, k.want)
		}
	}
}

// refPercentile interpolates between the neighbours in the sorted copy.
func refPercentile(values []float32, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	rank := p / 100 * float64(len(sorted)-1)
	k := int(rank)
	return lerp(float64(sorted[k]), float64(sorted[min(k+1, len(sorted)-1)]), rank-float64(k))
}

func TestPercentileEqualsSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draws := map[string]func() float32{
		"normal":     func() float32 { return float32(r.NormFloat64()) },
		"ties":       func() float32 { return float32(r.IntN(4)) - 1 },
		"saturated":  func() float32 { return min(1, float32(r.Float64()*1.5)) },
		"any float":  func() float32 { return math.Float32frombits(r.Uint32() &^ (1 << 23)) }, // never NaN or infinite
		"signed 0":   func() float32 { return float32(math.Copysign(0, r.Float64()-0.5)) },
		"subnormals": func() float32 { return math.Float32frombits(r.Uint32N(9)) },
	}
	for name, draw := range draws {
		for range 200 {
			values := make([]float32, 1+r.IntN(60))
			for i := range values {
				values[i] = draw()
			}
			p := 100 * r.Float64()
			if r.IntN(3) == 0 {
				p = float64(r.IntN(101))
			}
			before := slices.Clone(values)
			if got, want := Percentile(values, p), refPercentile(values, p); got != want {
				t.Fatalf("%s: percentile %g of %v: got %g, want %g", name, p, values, got, want)
			}
			if !slices.Equal(values, before) {
				t.Fatalf("%s: the values were modified", name)
			}
		}
	}
}

func TestPercentileOfNaN(t *testing.T) {
	if got := Percentile([]float32{1, float32(math.NaN()), 3}, 50); !math.IsNaN(got) {
		t.Errorf("got %g", got)
	}
}

func TestPercentilePanics(t *testing.T) {
	for _, p := range []float64{-1, 101, math.NaN()} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("percentile %g did not panic", p)
				}
			}()
			Percentile([]float32{1}, p)
		}()
	}
}
