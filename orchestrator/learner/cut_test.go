package learner

import (
	"errors"
	"strings"
	"testing"

	"t2sda/graphs/engine"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// cutLink is a link whose exchanges between nodes fail, as MPI's do that lost a connection.
type cutLink struct {
	ranks.Link
	cut bool
}

var errCut = errors.New("connection reset by peer")

func (l *cutLink) Split(color int) (ranks.Link, error) {
	link, err := l.Link.Split(color)
	return &cutLink{link, l.cut}, err
}

func (l *cutLink) Exchange(dst, src []byte) error {
	if l.cut && l.Rank() == 1 && l.Size() == 2 { // the other level's rank of the second node is 1, too
		return errCut
	}
	return l.Link.Exchange(dst, src)
}

// TestSumIsCut: a rank whose sum fails in its midst ends the job. It does not wait where all
// agree, since others wait for it elsewhere: for its node's sum, or for their own.
func TestSumIsCut(t *testing.T) {
	nodes := rankstest.Nodes(4, 2)
	errs := rankstest.Connect(len(nodes), func(l ranks.Link) error {
		g, err := ranks.New(&cutLink{l, l.Rank() == 3}, nodes[l.Rank()])
		if err != nil {
			return err
		}
		var ended error
		g.EndBy(func(err error) { ended = err })
		grads, err := engine.NewArena(8)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, grads.Close()) }()
		m := &micros{ranks: g}
		err = m.sum(grads, 8)
		if alone := new(ranks.AloneError); !errors.As(err, &alone) || err != ended {
			t.Errorf("rank %d: the job was ended with %v, the sum with %v", g.Rank(), ended, err)
		}
		return err
	})
	if err := errs[3]; !errors.Is(err, errCut) || !strings.HasPrefix(err.Error(), "gradients: ") {
		t.Errorf("the rank that was cut off has %v", err)
	}
}
