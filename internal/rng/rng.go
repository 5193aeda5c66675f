// Package rng derives independent random streams from (seed, iteration,
// purpose), so that a draw depends on nothing that happened before it: workers
// may run in any order and a resumed run needs no saved generator state.
package rng

import (
	"hash/fnv"
	"math/rand/v2"
)

// New returns the stream of one purpose at one iteration of a seeded run.
// Equal arguments give equal streams; different ones give independent streams
// (the triple is hashed into the state of a PCG generator).
func New(seed uint64, iteration int, purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose)) // never fails
	a := mix(seed ^ mix(uint64(iteration)+0x9e3779b97f4a7c15))
	b := mix(h.Sum64() ^ a)
	return rand.New(rand.NewPCG(a^b, b))
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection in
// which every input bit reaches every output bit.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}
