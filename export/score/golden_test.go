package score

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestCityscapesScripts compares with what the official package said about one
// matrix over raw ids: ignored ids are void in the truth and misses in the
// prediction, one class is predicted but never labelled, one is neither.
// Origin of the numbers: testdata/cityscapes_golden.py.
func TestCityscapesScripts(t *testing.T) {
	type score struct {
		Name string
		IoU  Score
	}
	var golden struct {
		Matrix                      [][]int64
		IDs, CategoryOf             []int
		Classes, Categories         []score
		MeanClasses, MeanCategories float64
	}
	data, err := os.ReadFile("testdata/cityscapes_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	c := NewConfusion(len(golden.IDs))
	train := make(map[int]int)
	for k, id := range golden.IDs {
		train[id] = k
	}
	for truth, row := range golden.Matrix {
		k, ok := train[truth]
		if !ok {
			continue // void
		}
		for id, n := range row {
			column, ok := train[id]
			if !ok {
				column = c.Classes()
			}
			c.counts[k*(c.Classes()+1)+column] += n
		}
	}
	check := func(c *Confusion, want []score, mean float64) {
		t.Helper()
		for k, iou := range c.IoU() {
			if !same(iou, float64(want[k].IoU)) {
				t.Errorf("%s: IoU %v, cityscapesScripts says %v", want[k].Name, iou, float64(want[k].IoU))
			}
		}
		if !same(c.MeanIoU(), mean) {
			t.Errorf("mean IoU %v, cityscapesScripts says %v", c.MeanIoU(), mean)
		}
	}
	check(c, golden.Classes, golden.MeanClasses)
	grouped, err := c.Group(len(golden.Categories), golden.CategoryOf)
	if err != nil {
		t.Fatal(err)
	}
	check(grouped, golden.Categories, golden.MeanCategories)
	if !math.IsNaN(c.IoU()[17]) || c.IoU()[16] != 0 {
		t.Errorf("motorcycle must have no score and train 0, got %v and %v", c.IoU()[17], c.IoU()[16])
	}
}
