package ranks

import "math/bits"

// Fold brackets a sum of n things in one way, whoever has them: things 0 … p−1 and
// p … n−1 are folded and then added, p being the largest power of two below n. add adds
// thing j to thing i, for i < j. The first thing is then the sum. Ranks that each have
// folded as many things, a power of two of them, so fold their sums to the same bits as
// one that has all.
func Fold(n int, add func(i, j int)) { fold(0, n, add) }

func fold(from, to int, add func(i, j int)) {
	if to-from < 2 {
		return
	}
	half := 1
	for 2*half < to-from {
		half *= 2
	}
	fold(from, from+half, add)
	fold(from+half, to, add)
	add(from, from+half)
}

// FoldDepth is the number of sums that wait at most while n > 0 things are folded one after
// the other, besides the one at hand, see [Pending]: as many as a number below n has ones.
func FoldDepth(n int) int { return bits.Len(uint(n)) - 1 }

// Pending is a [Fold] of n things that come one after the other. Of those that have come,
// sums of 1, 2, 4 … wait in slots until what belongs to them is there.
type Pending struct {
	n, come int
	weights []int // of what waits, in the order of slots
}

// NewPending returns the fold of n things.
func NewPending(n int) *Pending { return &Pending{n: n} }

// Next takes the next thing, which is at hand. It calls add for slots whose sum is to be
// added to what is at hand, and then, unless the thing was the last one, keep for the
// slot that takes over what is at hand.
func (p *Pending) Next(add, keep func(slot int) error) error {
	p.come++
	weight := 1
	for top := len(p.weights) - 1; top >= 0; top-- {
		if p.come < p.n && p.weights[top] != weight {
			break
		}
		if err := add(top); err != nil {
			return err
		}
		weight += p.weights[top]
		p.weights = p.weights[:top]
	}
	if p.come == p.n {
		p.come = 0
		return nil
	}
	p.weights = append(p.weights, weight)
	return keep(len(p.weights) - 1)
}

// MostAdded is how many values are added up at a time: 16 MiB, what a sum needs
// besides the values themselves.
const MostAdded = 1 << 22

// Add replaces x by its sum over the ranks, added up in the order of [Fold], level by level
// ([Group.Levels]): each rank of a level receives a part of everybody's x, folds it, has it added
// up by the next level and gives the sum to all. Of what R ranks of a level add up, 2·(R−1)/R
// leave and enter each, as in a ring, and the order of additions is ours.
func (g *Group) Add(x []float32) error {
	if g.Size() == 1 {
		return nil
	}
	size := g.Size()
	for most := MostAdded / size * size; len(x) > 0; {
		n := min(len(x), most)
		if err := g.addBlock(x[:n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// addBlock is Add for what is exchanged at a time.
func (g *Group) addBlock(x []float32) error {
	size := g.Size()
	part := (len(x) + size - 1) / size
	whole := x
	if part*size != len(x) { // parts have one length
		whole = make([]float32, part*size)
		copy(whole, x)
	}
	if len(g.block) < part*size {
		g.block = make([]float32, part*size)
	}
	parts := g.block[:part*size]
	if g.silent != nil {
		return g.silent
	}
	if err := addUp(g.levels, whole, parts); err != nil {
		return err
	}
	if part*size != len(x) {
		copy(x, whole)
	}
	return nil
}

// addUp replaces x, which has as many parts as there are ranks, by its sum over those of all
// levels. What other ranks give is kept in the first values of parts, which are as many as x;
// the next level has those behind its first part.
func addUp(levels []level, x, parts []float32) error {
	if len(levels) == 0 {
		return nil
	}
	link := levels[0].link
	size, part := link.Size(), len(x)/link.Size()
	if err := link.Exchange(Bytes(parts[:len(x)]), Bytes(x)); err != nil {
		return err
	}
	Fold(size, func(i, j int) { AddTo(parts[i*part:(i+1)*part], parts[j*part:(j+1)*part]) })
	sum := parts[:part]
	if err := addUp(levels[1:], sum, parts[part:]); err != nil {
		return err
	}
	return link.Gather(Bytes(x), Bytes(sum))
}

// AddTo adds src to dst, value by value.
func AddTo(dst, src []float32) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] += src[i]
	}
}
