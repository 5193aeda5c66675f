package tbevent

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRecord compares an event record with the bytes that TensorBoard 2.21's
// RecordWriter writes for Event(wall_time=2.5, step=3,
// summary=[Value(tag="loss/mix", simple_value=0.25)]).
func TestRecord(t *testing.T) {
	const golden = "1e00000000000000d9dc123209000000000000044010032a110a0f0a086c6f73732f6d6978150000803ef7523503"
	dir := t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.now = func() time.Time { return time.UnixMicro(2_500_000) }
	if err := w.Write(3, []Scalar{{"loss/mix", 0.25}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
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
	have := hex.EncodeToString(data)
	if !strings.HasSuffix(have, golden) {
		t.Errorf("last record differs: have %s, want … %s", have, golden)
	}
	if !strings.Contains(have, hex.EncodeToString([]byte("brain.Event:2"))) {
		t.Error("the file does not begin with its version")
	}
}

func TestCreateNamesTheFolder(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Create(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("have %v, want an error naming %s", err, missing)
	}
}
