// Package rankstest lets goroutines of a test be ranks.
package rankstest

import (
	"errors"
	"fmt"
	"sync"

	"t2sda/internal/ranks"
)

// Run calls f once for each of n ranks, of which two are of a node, at the same time, and
// returns their errors. A rank that returns while others wait for it makes those fail.
func Run(n int, f func(g *ranks.Group) error) []error {
	return RunOn(Nodes(n, 2), f)
}

// Nodes are those of n ranks of which each node has so many, one after the other.
func Nodes(n, each int) []string {
	nodes := make([]string, n)
	for rank := range nodes {
		nodes[rank] = fmt.Sprintf("node-%d", rank/each)
	}
	return nodes
}

// RunOn is [Run] for ranks of these nodes.
func RunOn(nodes []string, f func(g *ranks.Group) error) []error {
	return Connect(len(nodes), func(l ranks.Link) error {
		g, err := ranks.New(l, nodes[l.Rank()])
		if err != nil {
			return err
		}
		return f(g)
	})
}

// Connect is [Run] for the links of ranks, before they are a group.
func Connect(n int, f func(l ranks.Link) error) []error {
	m := newMeeting(n)
	errs := make([]error, n)
	var wait sync.WaitGroup
	for rank := range n {
		wait.Go(func() {
			l := &link{m: m, rank: rank}
			defer l.leave()
			errs[rank] = f(l)
		})
	}
	wait.Wait()
	return errs
}

// errLeft is what ranks get that wait for one which has ended.
var errLeft = errors.New("a rank has ended while others wait for it")

// meeting is where ranks hand over what they send.
type meeting struct {
	mu      sync.Mutex
	cond    *sync.Cond
	size    int
	sent    [][]byte
	arrived int
	read    int
	round   int
	left    int
	within  map[[2]int]*meeting // of ranks that have split off, by the round in which and their color
}

func newMeeting(size int) *meeting {
	m := &meeting{size: size, sent: make([][]byte, size), within: map[[2]int]*meeting{}}
	m.cond = sync.NewCond(&m.mu)
	return m
}

// meet hands src over, waits for all and calls take with what they have sent.
func (m *meeting) meet(rank int, src []byte, take func(sent [][]byte)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent[rank] = src
	m.arrived++
	if err := m.await(&m.arrived); err != nil {
		return err
	}
	take(m.sent)
	m.read++
	return m.await(&m.read) // what was sent is the sender's again
}

// await waits until all ranks are counted and then begins a new count. The caller holds
// the lock.
func (m *meeting) await(count *int) error {
	round := m.round
	if *count == m.size {
		*count = 0
		m.round++
		m.cond.Broadcast()
		return nil
	}
	for m.round == round && m.left == 0 {
		m.cond.Wait()
	}
	if m.round == round {
		return errLeft
	}
	return nil
}

func (m *meeting) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left++
	m.cond.Broadcast()
}

// link is a rank's way to the meeting.
type link struct {
	m     *meeting
	rank  int
	split []*link
}

func (l *link) Rank() int { return l.rank }
func (l *link) Size() int { return l.m.size }

func (l *link) Gather(dst, src []byte) error {
	return l.m.meet(l.rank, src, func(sent [][]byte) {
		for i, part := range sent {
			copy(dst[i*len(src):(i+1)*len(src)], part)
		}
	})
}

func (l *link) Exchange(dst, src []byte) error {
	n := len(src) / l.m.size
	return l.m.meet(l.rank, src, func(sent [][]byte) {
		for i, all := range sent {
			copy(dst[i*n:(i+1)*n], all[l.rank*n:(l.rank+1)*n])
		}
	})
}

func (l *link) Split(color int) (ranks.Link, error) {
	child := &link{}
	err := l.m.meet(l.rank, ranks.Bytes([]int64{int64(color)}), func(sent [][]byte) {
		size := 0
		for rank, theirs := range sent {
			if string(theirs) != string(sent[l.rank]) {
				continue
			}
			if rank == l.rank {
				child.rank = size
			}
			size++
		}
		key := [2]int{l.m.round, color} // rounds do not go on before all have read
		if l.m.within[key] == nil {
			l.m.within[key] = newMeeting(size)
		}
		child.m = l.m.within[key]
	})
	if err != nil {
		return nil, err
	}
	l.split = append(l.split, child)
	return child, nil
}

// leave lets nobody wait for this rank, wherever it met others.
func (l *link) leave() {
	l.m.leave()
	for _, child := range l.split {
		child.leave()
	}
}
