package texttable

import (
	"bytes"
	"testing"
)

// Columns are as wide as their widest cell in characters, whatever the section.
func TestWrite(t *testing.T) {
	var b bytes.Buffer
	err := Write(&b, [][]string{{"class", "IoU", "Δ"}}, [][]string{{"road", "5.00", "–"}, {"sky", "", ""}}, [][]string{{"mean of both", "12.50", "+1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `class           IoU   Δ
───────────────────────
road           5.00   –
sky
───────────────────────
mean of both  12.50  +1
`
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}

func TestMarkdown(t *testing.T) {
	const want = "| class | IoU |\n|---|---|\n| road \\| kerb | 5.0 |\n"
	if have := Markdown([][]string{{"class", "IoU"}, {"road | kerb", "5.0"}}); have != want {
		t.Errorf("have %q, want %q", have, want)
	}
}
