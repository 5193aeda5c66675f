package sealed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type value struct {
	Name   string
	Counts []int64
	Share  float64
}

// TestEveryByte: what was written comes back; with any bit of the value or of its digest
// changed, or the file cut anywhere, it does not.
func TestEveryByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "kept.json")
	want := value{"<a & b>", []int64{1, 1 << 60}, 0.1}
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	var have value
	if err := Read(path, &have); err != nil || !reflect.DeepEqual(have, want) {
		t.Fatalf("have %+v, %v", have, err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(bad []byte, how string, at int) {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var have value
		err := Read(path, &have)
		if err == nil && !reflect.DeepEqual(have, want) || err != nil && (!errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), path) || have.Name != "") {
			t.Errorf("%s at byte %d: %+v, %v", how, at, have, err)
		}
		if err == nil && at < len(good)-2 { // but for the line's end, which means nothing
			t.Errorf("%s at byte %d is not noticed", how, at)
		}
	}
	for i := range good {
		bad := []byte(string(good))
		bad[i] ^= 1 << (i % 8)
		try(bad, "a bit", i)
		try(good[:i], "cut", i)
	}
	if err := Read(path+"x", &have); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
