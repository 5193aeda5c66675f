package configs

import (
	"os"
	"strings"
	"testing"
)

// TestPaper: figures are read by the row's name, of rows and of points of a grid.
func TestPaper(t *testing.T) {
	s, err := LoadSweep(writeSweep(t, `
name: s
config: streets
seeds: [1]
subsets: [synthia-16, synthia-13]
grid: {loss.pull.tau: [0.1, 0.2]}
paper:
  source: "  Somebody, 2024, Table 3 "
  on: GTA5 → Cityscapes
  rows:
    tau=0.2: {miou: 62.8, synthia-13: 69.4}
    "tau=0.1": {source: "Another, 2023", miou: 60}
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Paper.Source != "Somebody, 2024, Table 3" || s.Paper.On != "GTA5 → Cityscapes" || len(s.Subsets) != 2 {
		t.Errorf("have %+v, %v", s.Paper, s.Subsets)
	}
	a, b := s.Paper.Rows["tau=0.1"], s.Paper.Rows["tau=0.2"]
	if a.MIoU != 60 || a.Source != "Another, 2023" || b.MIoU != 62.8 || b.Subsets["synthia-13"] != 69.4 || b.Source != "" {
		t.Errorf("have %+v, %+v", a, b)
	}
}

func TestBadPapers(t *testing.T) {
	const head = "name: s\nconfig: streets\nseeds: [1]\nrows: [{name: t2s}]\n"
	const cited = head + "paper:\n  source: A\n  rows: "
	for _, c := range []struct{ name, text, want string }{
		{"no mapping", head + "paper: 70", "paper: line 5: want key: value pairs"},
		{"empty", head + "paper:", "paper: line 5: want key: value pairs"},
		{"unknown key", head + "paper: {sorce: A}", `paper: line 5: unknown key "sorce" (did you mean source?)`},
		{"uncited", head + "paper: {rows: {t2s: {miou: 70}}}", "paper: source: is not there: cite where the figures stand"},
		{"blank source", head + "paper: {source: ' ', rows: {t2s: {miou: 70}}}", "paper: source: line 5: is empty: write what it is"},
		{"blank source of a row", cited + "{t2s: {miou: 70, source: ''}}", "paper: rows: t2s: source: line 7: is empty"},
		{"blank data", head + "paper: {source: A, on: '  ', rows: {t2s: {miou: 70}}}", "paper: on: line 5: is empty"},
		{"two lines", head + "paper: {source: \"A\\n\\nB\", rows: {t2s: {miou: 70}}}", `paper: source: line 5: want one line of plain text, without control characters, have "A\n\nB"`},
		{"a terminal's", cited + `{t2s: {miou: 70, source: "\e[2J"}}`, "paper: rows: t2s: source: line 7: want one line"},
		{"turned", head + `paper: {source: A, on: "\u202ex", rows: {t2s: {miou: 70}}}`, "paper: on: line 5: want one line"},
		{"no rows", head + "paper: {source: A}", "paper: rows: is empty"},
		{"no such row", cited + "{t2: {miou: 70}}", `paper: there is no row "t2" (did you mean t2s?)`},
		{"row twice", cited + "{t2s: {miou: 70}, t2s: {miou: 71}}", `key "t2s" is there twice`},
		{"bare figure", cited + "{t2s: 70}", "paper: rows: t2s: line 7: want key: value pairs"},
		{"no figure", cited + "{t2s: {source: B}}", "paper: rows: t2s: line 7: has no miou"},
		{"share", cited + "{t2s: {miou: 0.7}}", "t2s: miou: line 7: want per cent, from 1 to 100, have 0.7"},
		{"too much", cited + "{t2s: {miou: 101}}", "want per cent, from 1 to 100, have 101"},
		{"no number", cited + "{t2s: {miou: nan}}", "t2s: miou: line 7: "},
		{"text", cited + "{t2s: {miou: good}}", "t2s: miou: line 7: "},
		{"misspelt", cited + "{t2s: {miou: 70, mious: 70}}", `paper: row "t2s": "mious" is neither miou, source nor one of the further subsets of the sweep (did you mean miou?)`},
		{"the first subset is miou", head + "subsets: [a]\npaper: {source: A, rows: {t2s: {miou: 70, a: 70}}}", `row "t2s": "a" is neither`},
		{"subset twice", head + "subsets: [a, a]", `subsets: line 5: "a": want names that differ`},
		{"reserved subset", head + "subsets: [a, source]", `subsets: line 5: "source" is a key of published figures`},
		{"reserved first subset", head + "subsets: [miou]", `subsets: line 5: "miou" is a key`},
		{"subsets are no list", head + "subsets: {a: 1}", "subsets: line 5: "},
	} {
		_, err := LoadSweep(writeSweep(t, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: have %v\nwant … %s", c.name, err, c.want)
		}
	}
}

// TestUnsetVariablesOfRows: variables that rows read and that are not set are one error,
// whichever rows read them.
func TestUnsetVariablesOfRows(t *testing.T) {
	for _, name := range []string{"GTA5_ROOT", "CITYSCAPES_ROOT"} {
		t.Setenv(name, "") // restores it after the test
		os.Unsetenv(name)
	}
	s, err := LoadSweep("paper-gta5-r101")
	if err != nil {
		t.Fatal(err)
	}
	want := "sweep paper-gta5-r101: configuration gta5-cityscapes-r101: " +
		"data.eval.root, data.target.root: environment variable CITYSCAPES_ROOT is not set, or empty (set it, or data.eval.root=… data.target.root=…); " +
		"data.source.root: environment variable GTA5_ROOT is not set, or empty (set it, or data.source.root=…)"
	_, err = s.Variants(nil)
	if err == nil || err.Error() != want {
		t.Errorf("have %v\nwant %s", err, want)
	}
	for _, name := range []string{"GTA5_ROOT", "CITYSCAPES_ROOT"} {
		os.Setenv(name, "")
	}
	if _, err := s.Variants(nil); err == nil || err.Error() != want {
		t.Errorf("empty: have %v\nwant %s", err, want)
	}
}
