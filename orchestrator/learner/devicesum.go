package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/program"
	"t2sda/internal/ranks"
)

// mostSwapped is how many values are added up at a time: 64 MiB of memory of the device,
// besides the values themselves. Where R ranks add up with each other, all at once or those of a
// node, sums on the way take ⌊log₂ R⌋ + 1 parts of R more at most, from three on.
const mostSwapped = 1 << 24

// deviceSum adds arenas up over ranks without the host's memory: what [ranks.Group.Add] does,
// in the same order of additions, with graphs in place of loops and a [ranks.Wire] in place
// of a [ranks.Link].
type deviceSum struct {
	wire   ranks.Wire
	part   int          // values of a block that each rank adds up in the end
	parts  engine.Arena // as many as a block has
	levels []*sumLevel
}

// sumLevel is a sum over the ranks of one of [ranks.Group.Levels].
type sumLevel struct {
	ranks []int
	own   int              // this rank's place among them
	part  int              // values that each of them adds up at most
	at    int              // [len(ranks),part]: this rank's part of everybody's values, from there on in the arena
	adds  *program.Program // leaves their sum in the first row
}

// newDeviceSum makes what adds n values up, in memory of the kind that arena makes.
func newDeviceSum(e *engine.Engine, g *ranks.Group, w ranks.Wire, n int, arena newArena) (_ *deviceSum, err error) {
	size := g.Size()
	blocks := (n + mostSwapped - 1) / mostSwapped
	x := &deviceSum{wire: w, part: engine.Aligned((n+blocks*size-1)/(blocks*size), engine.DeviceAlign)}
	if x.parts, err = arena(size * x.part); err != nil {
		return nil, fmt.Errorf("memory for the gradients of ranks: %w", err)
	}
	at, all := 0, size*x.part
	for _, members := range g.Levels() {
		l := &sumLevel{ranks: members, own: slices.Index(members, g.Rank()), part: all / len(members), at: at}
		if l.adds, err = program.New(e, "fold", nil, func(p *program.Program) { x.build(p, l) }); err != nil {
			return nil, errors.Join(err, x.Close())
		}
		x.levels = append(x.levels, l)
		at, all = at+l.part, l.part // what is behind the sum, other ranks' values, is free
	}
	return x, nil
}

// build folds the rows. The first is written when all have been read.
func (x *deviceSum) build(p *program.Program, l *sumLevel) {
	row := func(i int) *engine.Tensor { return view(x.parts, l.at+i*l.part, l.part) }
	sums := make([]*graphs.Value, len(l.ranks))
	for i, rank := range l.ranks {
		sums[i] = p.Resident(fmt.Sprint("rank", rank), row(i))
	}
	ranks.Fold(len(sums), func(i, j int) { sums[i] = p.Graph().Add(sums[i], sums[j]) })
	p.Store("sum", sums[0], row(0))
}

// add replaces the first n values of an arena by their sum over the ranks. After an error
// others may wait for the wire.
func (x *deviceSum) add(a engine.Arena, n int) error {
	most := x.parts.Len()
	for at := 0; at < n; at += most {
		if err := x.addUp(x.levels, a, at, min(most, n-at)); err != nil {
			return err
		}
	}
	return nil
}

// addUp is add for n values from one on, as many as are added up at a time, over the ranks of
// levels. Where they are fewer, the last ranks have less to add up, or nothing; the rest of a row
// is what was there before, and nobody reads its sum.
func (x *deviceSum) addUp(levels []*sumLevel, a engine.Arena, at, n int) error {
	if len(levels) == 0 || n == 0 {
		return nil // nor has any other of the level a value
	}
	l := levels[0]
	if err := x.swap(l, a, at, n, l.scatter); err != nil {
		return err
	}
	if err := l.adds.Run(context.Background()); err != nil { // is not cut short: others wait
		return err
	}
	_, mine := l.share(l.own, n)
	if err := x.addUp(levels[1:], x.parts, l.at, mine); err != nil {
		return err
	}
	return x.swap(l, a, at, n, l.gather)
}

// swap sends and receives what parts says of n values and of the rows of a level.
func (x *deviceSum) swap(l *sumLevel, a engine.Arena, at, n int, parts func(block, rows uintptr, n int) (send, receive []ranks.Part)) error {
	return a.Lend(at, n, func(block uintptr) error {
		return x.parts.Lend(l.at, len(l.ranks)*l.part, func(rows uintptr) error { return x.wire.Swap(parts(block, rows, n)) })
	})
}

// share is the range of n values that the i-th rank adds up.
func (l *sumLevel) share(i, n int) (from, length int) {
	from = min(i*l.part, n)
	return from, min(l.part, n-from)
}

// scatter gives each rank its part of the block.
func (l *sumLevel) scatter(block, rows uintptr, n int) (send, receive []ranks.Part) {
	_, mine := l.share(l.own, n)
	for i, rank := range l.ranks {
		from, theirs := l.share(i, n)
		send = append(send, ranks.Part{Rank: rank, Address: offset(block, from), Len: theirs})
		receive = append(receive, ranks.Part{Rank: rank, Address: offset(rows, i*l.part), Len: mine})
	}
	return send, receive
}

// gather gives the sum of this rank's part to all, and takes theirs.
func (l *sumLevel) gather(block, rows uintptr, n int) (send, receive []ranks.Part) {
	_, mine := l.share(l.own, n)
	for i, rank := range l.ranks {
		from, theirs := l.share(i, n)
		send = append(send, ranks.Part{Rank: rank, Address: rows, Len: mine})
		receive = append(receive, ranks.Part{Rank: rank, Address: offset(block, from), Len: theirs})
	}
	return send, receive
}

// offset is the address of a float32 value, counted from the first.
func offset(first uintptr, values int) uintptr { return first + uintptr(4*values) }

// Close frees sessions and memory.
func (x *deviceSum) Close() error {
	var errs []error
	for _, l := range x.levels {
		errs = append(errs, l.adds.Close())
	}
	return errors.Join(append(errs, x.parts.Close())...)
}
