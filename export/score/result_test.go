package score

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/atomicfile"
)

// threeResult has classes road 2/3, car 0.5 and an absent train.
func threeResult(t *testing.T) *Result {
	t.Helper()
	c := NewConfusion(3)
	mustAdd(t, c, labels(0, 0, 0, 1), labels(0, 0, 1, 1))
	r := NewResult([]string{"road", "car", "train"}, c)
	r.Images, r.Seconds, r.ImagesPerSecond = 1, 0.5, 2
	return r
}

func TestTable(t *testing.T) {
	baseline := threeResult(t)
	baseline.Classes[0].IoU, baseline.Classes[1].Name, baseline.MIoU = 0.5, "lorry", 0.25
	tests := []struct {
		name     string
		baseline *Result
		want     string
	}{
		{"alone", nil, `
class           IoU %  recall %  pixels %
─────────────────────────────────────────
road            66.67     66.67     75.00
car             50.00    100.00     25.00
train               –         –      0.00
─────────────────────────────────────────
mean IoU        58.33
mean accuracy             83.33
pixel accuracy            75.00
1 image in 0.5 s (2.0 images/s)
`},
		{"against a baseline without cars", baseline, `
IoU % of class  before  after       Δ
─────────────────────────────────────
road             50.00  66.67  +16.67
car                  –  50.00       –
train                –      –       –
─────────────────────────────────────
mean IoU         25.00  58.33  +33.33
mean accuracy    83.33  83.33   +0.00
pixel accuracy   75.00  75.00   +0.00
1 image in 0.5 s (2.0 images/s)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := threeResult(t).Table(&b, tt.baseline); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResultJSON(t *testing.T) {
	r := threeResult(t)
	r.Skipped = []Skipped{{ID: "x", Error: "broken"}}
	path := filepath.Join(t.TempDir(), "result.json")
	if err := atomicfile.WriteJSON(path, r); err != nil {
		t.Fatal(err)
	}
	back, err := LoadResult(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back, cmp.AllowUnexported(Confusion{}), equateNaN); diff != "" {
		t.Error(diff)
	}
	if !math.IsNaN(float64(back.Classes[2].IoU)) {
		t.Errorf("IoU of an absent class became %v", back.Classes[2].IoU)
	}
}

func TestLoadResultErrors(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ text, want string }{
		"other.json":  {`{"miou": 1}`, "not the result of an evaluation"},
		"broken.json": {`{"miou": `, "unexpected end"},
		"rows.json":   {`{"confusion": {"rows": [[1,2]]}}`, "row 0 has 2 columns, want 1"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadResult(path); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want %q and the file's name", name, err, tt.want)
		}
	}
	if _, err := LoadResult(filepath.Join(dir, "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
