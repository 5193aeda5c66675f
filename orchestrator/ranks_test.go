package orchestrator

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// TestMeet: ranks of another program or configuration are refused, by all.
func TestMeet(t *testing.T) {
	for want, change := range map[string]func(c *configs.Config, o *Options){
		"": func(*configs.Config, *Options) {},
		"rank 1 (node-0) runs version v2 of the program and rank 0 version v1": func(_ *configs.Config, o *Options) { o.Version = "v2" },
		"rank 1 (node-0) has another configuration than rank 0":                func(c *configs.Config, _ *Options) { c.Seed = 7 },
		"was told another name, output":                                        func(c *configs.Config, _ *Options) { c.Train.EvalEvery = 3 },
	} {
		for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
			c, o := configs.Default(), Options{Version: "v1", Ranks: g}
			if g.Rank() == 1 {
				change(&c, &o)
			}
			err := o.meet(c)
			if g.Ended() != (err != nil) {
				t.Errorf("%s: rank %d does not know that all end", want, g.Rank())
			}
			return err
		}) {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("rank %d: %v, want %q", rank, err, want)
			}
		}
	}
}

// TestSameData: ranks that find other images are refused.
func TestSameData(t *testing.T) {
	root, other := t.TempDir(), t.TempDir()
	writeShapes(t, root)
	writeShapes(t, other)
	for _, err := range rankstest.Run(2, func(g *ranks.Group) error {
		c := shapesConfig(root, t.TempDir())
		if g.Rank() == 1 {
			c = shapesConfig(other, t.TempDir())
		}
		_, err := openData(t.Context(), c, "", nil, t.TempDir(), zap.NewNop(), g)
		return err
	}) {
		if err != nil {
			t.Errorf("the same files elsewhere: %v", err)
		}
	}
	lost, err := filepath.Glob(filepath.Join(other, "target", "images", "3.png"))
	if err != nil || len(lost) == 0 {
		t.Fatalf("%v, %v", lost, err)
	}
	if err := os.Remove(lost[0]); err != nil {
		t.Fatal(err)
	}
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		c := shapesConfig(root, t.TempDir())
		if g.Rank() == 1 {
			c = shapesConfig(other, t.TempDir())
		}
		_, err := openData(t.Context(), c, "", nil, t.TempDir(), zap.NewNop(), g)
		return err
	}) {
		if err == nil || !strings.Contains(err.Error(), "rank 1 (node-0) finds") {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestShareDir: all ranks are in the directory of the first, and nothing is left in it.
func TestShareDir(t *testing.T) {
	dir := t.TempDir()
	for _, err := range rankstest.Run(3, func(g *ranks.Group) error {
		mine := ""
		if g.Leads() {
			mine = dir
		}
		have, err := shareDir(g, mine)
		if err == nil && have != dir {
			err = errors.New(have)
		}
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
		mine := ""
		if g.Leads() {
			mine = filepath.Join(dir, "gone")
		}
		_, err := shareDir(g, mine)
		return err
	}) {
		if err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestShareOut: a run that is continued keeps its number of micro-batches.
func TestShareOut(t *testing.T) {
	dir := t.TempDir()
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, filepath.Dir(dir))
	c.Name = filepath.Base(dir)
	for _, k := range []struct {
		began, asked, want int
		fault              string
	}{{0, 0, 2, ""}, {4, 0, 4, ""}, {4, 2, 2, ""}, {-1, 0, 0, "learns from 1 micro-batch an iteration, which 2 processes cannot share out"}} {
		if k.began != 0 {
			began := c
			began.Train.Accumulate = max(k.began, 0)
			if err := writeConfig(Options{}.Disk, began, dir); err != nil {
				t.Fatal(err)
			}
		}
		for rank, err := range rankstest.Run(2, func(g *ranks.Group) error {
			c := c
			c.Train.Accumulate = k.asked
			have, err := Options{Ranks: g}.shareOut(c, dir)
			if err == nil && have.Train.Accumulate != k.want {
				t.Errorf("%+v: %d micro-batches", k, have.Train.Accumulate)
			}
			return err
		}) {
			if (err == nil) != (k.fault == "") || err != nil && !strings.Contains(err.Error(), k.fault) {
				t.Errorf("%+v: rank %d: %v", k, rank, err)
			}
		}
	}
}
