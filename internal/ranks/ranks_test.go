package ranks_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// bracket writes how n things are added up, from the from-th on.
func bracket(from, n int) string {
	terms := make([]string, n)
	for i := range terms {
		terms[i] = fmt.Sprint(from + i)
	}
	ranks.Fold(n, func(i, j int) { terms[i] = "(" + terms[i] + "+" + terms[j] + ")" })
	return terms[0]
}

func TestFold(t *testing.T) {
	for n, want := range map[int]string{
		1: "0", 2: "(0+1)", 3: "((0+1)+2)", 4: "((0+1)+(2+3))", 6: "(((0+1)+(2+3))+(4+5))", 7: "(((0+1)+(2+3))+((4+5)+6))",
	} {
		if got := bracket(0, n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestPending: things that come one after the other are bracketed as those that are all
// there, in no more slots than said, time after time.
func TestPending(t *testing.T) {
	for n := 1; n <= 33; n++ {
		p, most := ranks.NewPending(n), 0
		for range 2 {
			slots, hand := map[int]string{}, ""
			for i := range n {
				hand = fmt.Sprint(i)
				err := p.Next(func(slot int) error {
					hand = "(" + slots[slot] + "+" + hand + ")"
					return nil
				}, func(slot int) error {
					slots[slot], most = hand, max(most, slot+1)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if want := bracket(0, n); hand != want {
				t.Errorf("%d: %s, want %s", n, hand, want)
			}
		}
		if most != ranks.FoldDepth(n) || most != bits.Len(uint(n))-1 {
			t.Errorf("%d things: %d slots, want %d", n, most, ranks.FoldDepth(n))
		}
	}
}

// TestFoldOfFolds: ranks that each fold a power of two of things fold to the same.
func TestFoldOfFolds(t *testing.T) {
	for size := 1; size <= 9; size++ {
		for each := 1; each <= 8; each *= 2 {
			sums := make([]string, size)
			for r := range sums {
				sums[r] = bracket(r*each, each)
			}
			ranks.Fold(size, func(i, j int) { sums[i] = "(" + sums[i] + "+" + sums[j] + ")" })
			if want := bracket(0, size*each); sums[0] != want {
				t.Errorf("%d ranks of %d: %s, want %s", size, each, sums[0], want)
			}
		}
	}
}

// succeed fails the test for the errors of ranks.
func succeed(t *testing.T, errs []error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestAdd: the sum of ranks has the bits of the fold, and all have it, also where their
// number does not divide the length and where there are several blocks.
func TestAdd(t *testing.T) {
	for size := 1; size <= 5; size++ {
		for _, n := range []int{1, 7, 1000} {
			parts := make([][]float32, size)
			for r := range parts {
				rng := rand.New(rand.NewPCG(uint64(r), uint64(n)))
				for range n {
					parts[r] = append(parts[r], float32(math.Exp(10*rng.NormFloat64())))
				}
			}
			want := make([][]float32, size)
			for r := range parts {
				want[r] = slices.Clone(parts[r])
			}
			ranks.Fold(size, func(i, j int) { ranks.AddTo(want[i], want[j]) })
			succeed(t, rankstest.Run(size, func(g *ranks.Group) error {
				x := slices.Clone(parts[g.Rank()])
				if err := g.Add(x); err != nil {
					return err
				}
				if !slices.Equal(x, want[0]) {
					return fmt.Errorf("rank %d of %d, %d values: another sum", g.Rank(), size, n)
				}
				return nil
			}))
		}
	}
}

func TestAddInBlocks(t *testing.T) {
	const n = 1<<22 + 12345 // more than a block
	succeed(t, rankstest.Run(2, func(g *ranks.Group) error {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(i%1000) + float32(g.Rank())
		}
		if err := g.Add(x); err != nil {
			return err
		}
		for i, v := range x {
			if want := 2*float32(i%1000) + 1; v != want {
				return fmt.Errorf("value %d: %g, want %g", i, v, want)
			}
		}
		return nil
	}))
}

// TestGather: things come back in their order, however they are shared out.
func TestGather(t *testing.T) {
	for size := 1; size <= 4; size++ {
		for n := size; n <= 9; n++ {
			var want []int64
			for i := range n {
				want = append(want, int64(10*i), int64(10*i+1))
			}
			succeed(t, rankstest.Run(size, func(g *ranks.Group) error {
				from, to := g.Share(n)
				got, err := ranks.Gather(g, n, want[2*from:2*to])
				if err == nil && !slices.Equal(got, want) {
					err = fmt.Errorf("%d of %d: %v", g.Rank(), size, got)
				}
				return err
			}))
		}
	}
}

func TestTexts(t *testing.T) {
	want := []string{"", "one", "twenty-two"}
	succeed(t, rankstest.Run(3, func(g *ranks.Group) error {
		texts, err := ranks.Texts(g, []byte(want[g.Rank()]))
		for i, text := range texts {
			if string(text) != want[i] {
				err = errors.Join(err, fmt.Errorf("%d: %q", i, text))
			}
		}
		return err
	}))
}

// TestAgree: all get the error of the first rank that has one, and know an interrupt.
func TestAgree(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, k := range []struct {
		errs []error
		want string
		stop bool
	}{
		{[]error{nil, nil, nil}, "", false},
		{[]error{nil, nil, broken}, "rank 2 (node-1): the disk is full", false},
		{[]error{nil, broken, errors.New("other")}, "rank 1 (node-0): the disk is full", false},
		{[]error{nil, fmt.Errorf("image 7: %w", context.Canceled), nil}, "rank 1 (node-0): image 7: context canceled", true},
	} {
		rankstest.Run(3, func(g *ranks.Group) error {
			own := k.errs[g.Rank()]
			err := g.Agree(own)
			switch {
			case (err == nil) != (k.want == ""):
				t.Errorf("%v: %v", k.errs, err)
			case err != nil && err != own && err.Error() != k.want:
				t.Errorf("%v: %v", k.errs, err)
			case err != nil && err == own && !strings.HasSuffix(k.want, own.Error()):
				t.Errorf("%v: %v", k.errs, err)
			case errors.Is(err, context.Canceled) != k.stop:
				t.Errorf("%v: an interrupt: %t", k.errs, !k.stop)
			}
			return nil
		})
	}
}

// TestAloneError: a rank of which the others cannot hear ends the job at once and waits for
// nobody, whatever it calls then; it is not one that has agreed to end.
func TestAloneError(t *testing.T) {
	errs := rankstest.Run(2, func(g *ranks.Group) error {
		if g.Rank() == 1 {
			return g.Agree(nil) // ends when rank 0 has
		}
		var ended []error
		g.EndBy(func(err error) { ended = append(ended, err) })
		cut := errors.New("the wire is cut")
		lost := g.Alone(cut)
		if !errors.Is(lost, cut) || !errors.As(lost, new(*ranks.AloneError)) || !slices.Equal(ended, []error{lost}) {
			t.Errorf("%v, the job was ended with %v", lost, ended)
		}
		_, stopErr := g.Stop(true)
		_, textErr := ranks.Texts(g, nil)
		for what, err := range map[string]error{"agree": g.Agree(nil), "stop": stopErr, "texts": textErr, "add": g.Add(make([]float32, 4)), "again": g.Alone(errors.New("closing fails, too"))} {
			if err != lost {
				t.Errorf("%s: %v", what, err)
			}
		}
		if g.Ended() || len(ended) != 1 {
			t.Error("nobody has agreed to end, and once is enough")
		}
		return nil
	})
	if errs[1] == nil {
		t.Error("rank 1 has met a rank that never came")
	}
}

func TestStop(t *testing.T) {
	for _, one := range []int{-1, 0, 2} {
		succeed(t, rankstest.Run(3, func(g *ranks.Group) error {
			any, err := g.Stop(g.Rank() == one)
			if err == nil && any != (one >= 0) {
				err = fmt.Errorf("rank %d: %t", g.Rank(), any)
			}
			return err
		}))
	}
}

// TestAlone: nil is a group of one, which asks nobody.
func TestAlone(t *testing.T) {
	var g *ranks.Group
	x := []float32{1, 2}
	all, err := ranks.Gather(g, 2, x)
	if err = errors.Join(err, g.Add(x)); err != nil || !slices.Equal(all, x) || x[1] != 2 || g.Rank() != 0 || g.Size() != 1 || !g.Leads() {
		t.Errorf("%v, %v, %v", all, x, err)
	}
	broken := errors.New("broken")
	if g.Agree(broken) != broken || g.Agree(nil) != nil {
		t.Error("a lone rank agrees with itself")
	}
}

// TestRankEnds: nobody waits for ever for a rank that has ended.
func TestRankEnds(t *testing.T) {
	errs := rankstest.Run(2, func(g *ranks.Group) error {
		if g.Rank() == 1 {
			return nil
		}
		return g.Agree(nil)
	})
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("%v", errs)
	}
}
