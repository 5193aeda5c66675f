package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLargeModel: a file beyond what models have is refused without being read.
func TestLargeModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.onnx")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, maxModel+1)); err != nil { // a hole, not on disk
		t.Fatal(err)
	}
	if _, err := readModel(path); err == nil || !strings.Contains(err.Error(), path+" is no ONNX model: it has 2147483648 bytes") {
		t.Errorf("have %v", err)
	}
}
