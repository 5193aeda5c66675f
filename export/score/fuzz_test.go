package score

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoadResult: a result that is read can be tabulated, alone and beside itself, and
// written again it is read as the same.
func FuzzLoadResult(f *testing.F) {
	c := NewConfusion(2)
	copy(c.counts, []int64{5, 1, 0, 2, 3, 4})
	good, err := json.Marshal(NewResult([]string{"a", "b"}, c))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"confusion":{"rows":[[1]]},"classes":[{}],"categories":[{"iou":null}],"skipped":[{}]}`))
	f.Add([]byte(`{"confusion":{"rows":[[-9223372036854775808,9223372036854775807],[1,1]],"missed":[-1,-1]},"classes":[{},{}],"mean_category_iou":1e308}`))
	f.Add([]byte(`{"confusion":null}`))
	f.Add([]byte(`{"confusion":{"rows":[[]]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "result.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := LoadResult(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		for _, before := range []*Result{nil, r} {
			if err := r.Table(io.Discard, before); err != nil {
				t.Error(err)
			}
		}
		once, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again := new(Result)
		if err := json.Unmarshal(once, again); err != nil {
			t.Fatal(err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("written again it is %s, not %s: %v", twice, once, err)
		}
	})
}
