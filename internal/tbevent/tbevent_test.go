package tbevent

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"t2sda/internal/atomicfile"
)

// TestRecords compares event records with the bytes that TensorBoard 2.21's
// RecordWriter writes for Events of wall_time=2.5.
func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name, golden string
		write        func(w *Writer) error
	}{
		{
			`step=3, summary=[Value(tag="loss/mix", simple_value=0.25)]`,
			"1e00000000000000d9dc123209000000000000044010032a110a0f0a086c6f73732f6d6978150000803ef7523503",
			func(w *Writer) error { return w.Write(3, []Scalar{{"loss/mix", 0.25}}) },
		},
		{
			"step=300, session_log=SessionLog(status=START)",
			"100000000000000095fbfe1809000000000000044010ac023a0208017d05b37d",
			func(w *Writer) error { return w.Restart(300) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			have := written(t, c.write)
			if !strings.HasSuffix(have, c.golden) {
				t.Errorf("last record differs: have %s, want … %s", have, c.golden)
			}
			if !strings.Contains(have, hex.EncodeToString([]byte("brain.Event:2"))) {
				t.Error("the file does not begin with its version")
			}
		})
	}
}

// written returns a file's bytes in hexadecimal.
func written(t *testing.T, write func(w *Writer) error) string {
	t.Helper()
	dir := t.TempDir()
	w, err := Create(atomicfile.Disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	w.now = func() time.Time { return time.UnixMicro(2_500_000) }
	if err := errors.Join(write(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(data)
}

func TestCreateNamesTheFolder(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Create(atomicfile.Disk{}, missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("have %v, want an error naming %s", err, missing)
	}
}
