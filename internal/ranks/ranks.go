// Package ranks is the processes that work on one thing together: who is who, what they
// tell each other, and sums over all of them in one fixed order. It knows no way for
// bytes to travel; package mpi has one, rankstest another.
package ranks

import (
	"fmt"
	"slices"
	"unsafe"
)

// Link carries bytes between the ranks of a group. Every rank calls the same methods in
// the same order, with slices of the same lengths.
type Link interface {
	Rank() int // of this process, from 0
	Size() int // of the group
	// Gather fills dst with src of every rank, in the order of ranks.
	Gather(dst, src []byte) error
	// Exchange gives part i of src to rank i and fills part i of dst with what rank i
	// gives; all parts have one length.
	Exchange(dst, src []byte) error
	// Split connects the ranks that give one color, which is at least 0, in their order.
	Split(color int) (Link, error)
}

// Group is this process among its ranks. Nil is a process that is alone.
type Group struct {
	link   Link
	nodes  []string // of ranks
	levels []level  // in which sums are made, the first one first
	order  string   // says so
	block  []float32
	ended  bool
	silent error           // why the others are not spoken with any more; nil: they are
	end    func(err error) // ends the job of a rank that is alone with an error; may be nil
}

// New returns the group of a link. Node names the machine of this rank.
func New(link Link, node string) (*Group, error) {
	g := &Group{link: link}
	names, err := Texts(g, []byte(node))
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		g.nodes = append(g.nodes, string(n))
	}
	if err := g.arrange(); err != nil {
		return nil, err
	}
	return g, nil
}

// Rank is this process's, from 0.
func (g *Group) Rank() int {
	if g == nil {
		return 0
	}
	return g.link.Rank()
}

// Size is the number of ranks.
func (g *Group) Size() int {
	if g == nil {
		return 1
	}
	return g.link.Size()
}

// Leads reports whether this is the rank that writes files and tells the user.
func (g *Group) Leads() bool { return g.Rank() == 0 }

// Node is this rank's machine.
func (g *Group) Node() string { return g.nodes[g.Rank()] }

// Name is what a rank is called in messages.
func (g *Group) Name(rank int) string { return fmt.Sprintf("rank %d (%s)", rank, g.nodes[rank]) }

// Share returns the range [from, to) of n things that is this rank's: as many as any
// other's, or one less.
func (g *Group) Share(n int) (from, to int) { return share(n, g.Rank(), g.Size()) }

func share(n, rank, size int) (from, to int) { return rank * n / size, (rank + 1) * n / size }

// number is what travels as it lies in memory: ranks run on processors of one kind.
type number interface {
	float32 | float64 | int64 | uint8
}

// Bytes is the memory of a slice.
func Bytes[T number](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
}

// gather is the link's, unless the others wait elsewhere.
func (g *Group) gather(dst, src []byte) error {
	if g.silent != nil {
		return g.silent
	}
	return g.link.Gather(dst, src)
}

// Gather returns what each of n things has, in the order of things, given what those of
// this rank's share have: equally much each.
func Gather[T number](g *Group, n int, mine []T) ([]T, error) {
	if g.Size() == 1 {
		return mine, nil
	}
	from, to := g.Share(n)
	if to == from || len(mine)%(to-from) != 0 {
		return nil, fmt.Errorf("ranks: %d values for %d of %d things", len(mine), to-from, n)
	}
	each, most := len(mine)/(to-from), (n+g.Size()-1)/g.Size()
	padded := make([]T, most*each)
	copy(padded, mine)
	all := make([]T, g.Size()*len(padded))
	if err := g.gather(Bytes(all), Bytes(padded)); err != nil {
		return nil, err
	}
	out := make([]T, 0, n*each)
	for rank := range g.Size() {
		from, to := share(n, rank, g.Size())
		out = append(out, all[rank*len(padded):][:(to-from)*each]...)
	}
	return out, nil
}

// Texts returns every rank's text, which may be of different lengths.
func Texts(g *Group, mine []byte) ([][]byte, error) {
	lengths, err := Gather(g, g.Size(), []int64{int64(len(mine))})
	if err != nil {
		return nil, err
	}
	most := int(slices.Max(lengths))
	padded := make([]byte, most)
	copy(padded, mine)
	all, err := Gather(g, g.Size(), padded)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(lengths))
	for rank, n := range lengths {
		out[rank] = all[rank*most:][:n]
	}
	return out, nil
}
