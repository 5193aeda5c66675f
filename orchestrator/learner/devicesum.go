package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/program"
	"t2sda/internal/ranks"
)

// mostSwapped is how many values are added up at a time: 64 MiB of memory of the device,
// besides the values themselves. From three ranks R on, sums on the way take ⌊log₂ R⌋ + 1
// parts of R more at most, each as large as a rank's part.
const mostSwapped = 1 << 24

// deviceSum adds arenas up over ranks without the host's memory: what [ranks.Group.Add] does,
// in the same order of additions, with a graph in place of loops and a [ranks.Wire] in place
// of a [ranks.Link].
type deviceSum struct {
	group *ranks.Group
	wire  ranks.Wire
	part  int              // values that each rank adds up at a time
	parts engine.Arena     // [R,part]: this rank's part of everybody's values
	adds  *program.Program // leaves their sum in the first row
}

// newDeviceSum makes what adds n values up, in memory of the kind that arena makes.
func newDeviceSum(e *engine.Engine, g *ranks.Group, w ranks.Wire, n int, arena newArena) (_ *deviceSum, err error) {
	size := g.Size()
	blocks := (n + mostSwapped - 1) / mostSwapped
	x := &deviceSum{group: g, wire: w, part: aligned((n+blocks*size-1)/(blocks*size), deviceAlign)}
	if x.parts, err = arena(size * x.part); err != nil {
		return nil, fmt.Errorf("memory for the gradients of ranks: %w", err)
	}
	x.adds, err = program.New(e, "fold", nil, x.build)
	if err != nil {
		return nil, errors.Join(err, x.parts.Close())
	}
	return x, nil
}

// build folds the rows. The first is written when all have been read.
func (x *deviceSum) build(p *program.Program) {
	row := func(r int) *engine.Tensor { return view(x.parts, r*x.part, x.part) }
	sums := make([]*graphs.Value, x.group.Size())
	for r := range sums {
		sums[r] = p.Resident(fmt.Sprint("rank", r), row(r))
	}
	ranks.Fold(len(sums), func(i, j int) { sums[i] = p.Graph().Add(sums[i], sums[j]) })
	p.Store("sum", sums[0], row(0))
}

// add replaces the first n values of an arena by their sum over the ranks. After an error
// others may wait for the wire.
func (x *deviceSum) add(a engine.Arena, n int) error {
	most := x.group.Size() * x.part
	for at := 0; at < n; at += most {
		if err := x.addBlock(a, at, min(most, n-at)); err != nil {
			return err
		}
	}
	return nil
}

// addBlock is add for n values from one on, as many as are added up at a time. Where they are
// fewer, the last ranks have less to add up, or nothing; the rest of a row is what was there
// before, and nobody reads its sum.
func (x *deviceSum) addBlock(a engine.Arena, at, n int) error {
	return a.Lend(at, n, func(block uintptr) error {
		if err := x.parts.Lend(0, x.parts.Len(), func(mine uintptr) error { return x.scatter(block, mine, n) }); err != nil {
			return err
		}
		if err := x.adds.Run(context.Background()); err != nil { // is not cut short: others wait
			return err
		}
		return x.parts.Lend(0, x.part, func(sum uintptr) error { return x.gather(block, sum, n) })
	})
}

// share is the range of a rank's part of n values.
func (x *deviceSum) share(rank, n int) (from, length int) {
	from = min(rank*x.part, n)
	return from, min(x.part, n-from)
}

// scatter gives each rank its part of the block.
func (x *deviceSum) scatter(block, mine uintptr, n int) error {
	var send, receive []ranks.Part
	_, length := x.share(x.group.Rank(), n)
	for r := range x.group.Size() {
		from, theirs := x.share(r, n)
		send = append(send, ranks.Part{Rank: r, Address: offset(block, from), Len: theirs})
		receive = append(receive, ranks.Part{Rank: r, Address: offset(mine, r*x.part), Len: length})
	}
	return x.wire.Swap(send, receive)
}

// gather gives the sum of this rank's part to all, and takes theirs.
func (x *deviceSum) gather(block, sum uintptr, n int) error {
	var send, receive []ranks.Part
	_, length := x.share(x.group.Rank(), n)
	for r := range x.group.Size() {
		from, theirs := x.share(r, n)
		send = append(send, ranks.Part{Rank: r, Address: sum, Len: length})
		receive = append(receive, ranks.Part{Rank: r, Address: offset(block, from), Len: theirs})
	}
	return x.wire.Swap(send, receive)
}

// offset is the address of a float32 value, counted from the first.
func offset(first uintptr, values int) uintptr { return first + uintptr(4*values) }

// Close frees session and memory.
func (x *deviceSum) Close() error { return errors.Join(x.adds.Close(), x.parts.Close()) }
