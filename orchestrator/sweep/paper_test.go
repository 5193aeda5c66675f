package sweep

import (
	"bytes"
	"encoding/json"
	"image"
	"math"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/export/score"
	"t2sda/internal/raster"
)

// withFigures is [byHand] over a subset of the classes, with figures of others.
const withFigures = `
name: s
title: By hand
config: streets
seeds: [1, 2]
subsets: [synthia-16, synthia-13]
baseline: base
oracle: above
rows:
  - {name: base, set: {train.lr: 0.25}}
  - {name: better, set: {train.lr: 0.5}}
  - {name: other, set: {train.lr: 1}}
  - {name: above, set: {train.lr: 0.125}}
paper:
  source: A and B, 2024
  rows:
    base: {miou: 40}
    better: {miou: 55.5, synthia-13: 60}
    other: {miou: 58, source: "C, 2023"}
    above: {miou: 60}
`

func samePixels(t *testing.T, a, b image.Image) bool {
	t.Helper()
	first, err := raster.EncodePNG(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := raster.EncodePNG(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(first, second)
}

// TestPublishedBeside: base has 30 and 34 %, better 32 %, nothing is known of the oracle.
// Of the published 20 points between base and above, better has 15.5: 78 %. Another paper's
// figure is held against nothing.
func TestPublishedBeside(t *testing.T) {
	p := plan(t, load(t, withFigures), Options{})
	s := &store{}
	put := func(row string, seed uint64, few, fewer float64) {
		p.put(t, s, row, seed, 0.99, 10, "")
		s.runs[len(s.runs)-1].Subsets = map[string]score.Score{"synthia-16": score.Score(few), "synthia-13": score.Score(fewer)}
	}
	put("base", 1, 0.30, 0.40)
	put("base", 2, 0.34, 0.44)
	put("better", 1, 0.32, 0.50)
	table := p.tabulate(s)
	const want = `**By hand**

configuration streets, 1600 iterations, threads per run: 1; target mIoU over synthia-16 in %; differences are to base, paired by seed

| row | seed 1 | seed 2 | mean ± std | published | synthia-13 | published, synthia-13 | difference | published difference | gap recovered | published gap | s/run |
|---|---|---|---|---|---|---|---|---|---|---|---|
| base | 30.0 | 34.0 | 32.0 ± 2.8 | 40.0 | 42.0 ± 2.8 | – | – | – | – | – | 10 |
| better | 32.0 | – | 32.0 | 55.5 | 50.0 | 60.0 | +2.0 | +15.5 | – | 78 % | 10 |
| other | – | – | – | 58.0 | – | – | – | – | – | – | – |
| above | – | – | – | 60.0 | – | – | – | +20.0 | – | 100 % | – |

published: A and B, 2024

other: C, 2023
`
	if have := table.Markdown(); have != want {
		t.Errorf("have\n%s\nwant\n%s", have, want)
	}
	img, err := p.picture(table)
	if err != nil {
		t.Fatal(err)
	}
	bare := p.tabulate(s)
	for i := range bare.Rows {
		bare.Rows[i].Paper = nil
	}
	if plain, err := p.picture(bare); err != nil || plain.Bounds() != img.Bounds() || samePixels(t, plain, img) {
		t.Errorf("the picture does not show what was published, or is of another size: %v", err)
	}

	// Of other data: the title says so, and the picture, whose scale is this data's, is without.
	table.Paper.On = "X → Y"
	if heads := strings.Join(table.cells()[0], " | "); !strings.Contains(heads, "| published, X → Y | synthia-13 | published, synthia-13 |") {
		t.Errorf("heads %s", heads)
	}
	if text := table.Markdown(); !strings.Contains(text, "\npublished: A and B, 2024. Its figures are of X → Y: orders and differences") {
		t.Errorf("have\n%s", text)
	}
	away, err := p.picture(table)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := p.picture(bare); err != nil || !samePixels(t, plain, away) {
		t.Errorf("the picture shows figures of other data: %v", err)
	}
}

// TestTablesWithoutPaper: the files of a table that says nothing of papers and subsets
// have no word of them.
func TestTablesWithoutPaper(t *testing.T) {
	p := plan(t, load(t, byHand), Options{})
	s := &store{}
	p.put(t, s, "base", 1, 0.3, 10, "")
	text, err := json.Marshal(p.tabulate(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"paper", "subsets", "further"} {
		if bytes.Contains(text, []byte(word)) {
			t.Errorf("%q stands in %s", word, text)
		}
	}
}

// TestPublishedGaps: the paper's figures recover what the paper says: 64 % of the gap with
// ResNet-101, 76 % with DAFormer and 97 % with MIC. All are there before anything is trained.
func TestPublishedGaps(t *testing.T) {
	for _, name := range []string{"GTA5_ROOT", "CITYSCAPES_ROOT"} {
		t.Setenv(name, "/"+name)
	}
	hashes := map[string]string{} // of source-only and target-only
	for _, c := range []struct{ name, row, want string }{
		{"paper-gta5-r101", "t2s", "64 %"}, {"paper-gta5-daformer", "t2s", "76 %"}, {"paper-gta5-hrda", "t2s+mask", "97 %"},
	} {
		s, err := configs.LoadSweep(c.name)
		if err != nil {
			t.Fatal(err)
		}
		p := plan(t, s, Options{Jobs: 1, Out: t.TempDir()})
		table := p.tabulate(&store{})
		row := table.Rows[table.row(c.row)]
		have := row.published("%.0f %%", func(f *Figures) score.Score { return f.Gap })
		if have != c.want || !math.IsNaN(float64(row.Mean)) {
			t.Errorf("%s: %s recovers %s, want %s", c.name, c.row, have, c.want)
		}
		for _, v := range p.variants {
			if v.Name == s.Baseline || v.Name == s.Oracle {
				hashes[c.name+" "+v.Name] = v.Config.Hash()
			}
		}
		var out bytes.Buffer
		if err := p.Print(&out); err != nil || !strings.Contains(out.String(), "configuration            run  published\n") {
			t.Errorf("%v:\n%s", err, out.String())
		}
	}
	for _, row := range []string{"source-only", "target-only"} {
		if hrda, daformer := hashes["paper-gta5-hrda "+row], hashes["paper-gta5-daformer "+row]; hrda != daformer || hrda == "" {
			t.Errorf("%s beside HRDA is not DAFormer's: %q, %q", row, hrda, daformer)
		}
	}
}
