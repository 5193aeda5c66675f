package sweep

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/internal/atomicfile"
	"t2sda/orchestrator"
)

// TestTablesWithoutData: where the data of what has to be trained is missing, that is one
// error, and what is known is tabulated; of nothing no table is made.
func TestTablesWithoutData(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	s := load(t, byHand+"settings: {data.streets.enabled: false, data.source.root: "+gone+", data.target.root: "+gone+", data.eval.root: "+gone+"}\n")
	p := plan(t, s, Options{Settings: []string{"output=" + t.TempDir()}})
	var out bytes.Buffer
	const want = " is not there (9 runs, the first: better, seed 1): put it there, or set data.eval.root=DIR "
	if table, err := p.Run(t.Context(), quiet(&out)); table != nil || err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("%+v, %v", table, err)
	}
	if files, err := os.ReadDir(p.out); err != nil || len(files) != 1 { // the runs' folder
		t.Errorf("it left %v, %v", files, err)
	}
	known := &store{}
	p.put(t, known, "base", 1, 0.3, 10, "")
	if err := p.write(atomicfile.Disk{}, p.tabulate(known)); err != nil {
		t.Fatal(err)
	}
	os.Remove(p.path(".md"))
	table, err := p.Run(t.Context(), quiet(&out))
	if missing := new(orchestrator.MissingError); !errors.As(err, &missing) || strings.Contains(err.Error(), "9 runs") || table == nil {
		t.Fatalf("%+v, %v", table, err)
	}
	if text := read(t, p.path(".md")); !strings.Contains(text, "| base | 30.0 |") || !strings.Contains(out.String(), "30.0") || len(table.Failures) > 0 {
		t.Errorf("%s\nprinted\n%s", text, out.String())
	}
}
