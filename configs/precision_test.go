package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrecision: what products are computed in, by both settings that speak of it.
func TestPrecision(t *testing.T) {
	for _, k := range []struct {
		settings  []string
		precision string
		tf32      bool
	}{
		{nil, TF32, true},
		{[]string{"runtime.cuda.tf32=true"}, TF32, true},
		{[]string{"runtime.cuda.tf32=false"}, FP32, false},
		{[]string{"runtime.precision=fp32"}, FP32, false},
		{[]string{"runtime.precision=tf32"}, TF32, true},
		{[]string{"runtime.precision=fp32", "runtime.cuda.tf32=false"}, FP32, false},
		{[]string{"runtime.precision=bf16"}, BF16, true},
		{[]string{"runtime.precision=fp16", "runtime.cuda.tf32=false"}, FP16, false},
	} {
		c, err := Load("streets", k.settings)
		if err != nil {
			t.Fatal(err)
		}
		if c.Precision() != k.precision || c.AllowsTF32() != k.tf32 {
			t.Errorf("%v: %s, TF32 %t, want %s, %t", k.settings, c.Precision(), c.AllowsTF32(), k.precision, k.tf32)
		}
		// A run's own file says the same.
		path := filepath.Join(t.TempDir(), "run.yaml")
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if again, err := Load(path, nil); err != nil || again.Precision() != k.precision || again.AllowsTF32() != k.tf32 {
			t.Errorf("%v, written and read: %s, TF32 %t (%v)", k.settings, again.Precision(), again.AllowsTF32(), err)
		}
	}
}

// TestBadPrecision pairs settings that cannot be with their message.
func TestBadPrecision(t *testing.T) {
	for _, k := range []struct {
		settings []string
		want     string
	}{
		{[]string{"runtime.precision=half"}, `runtime.precision: want one of fp32, tf32, bf16, fp16, have "half"`},
		{[]string{"runtime.precision=BF16"}, `have "BF16"`},
		{[]string{"runtime.precision=fp32", "runtime.cuda.tf32=true"}, "runtime.precision: is fp32, and runtime.cuda.tf32 is true: leave one of the two out"},
		{[]string{"runtime.precision=tf32", "runtime.cuda.tf32=false"}, "is tf32, and runtime.cuda.tf32 is false"},
		{[]string{"runtime.cuda.tf32=maybe"}, "want true or false, have maybe"},
		{[]string{"runtime.cuda.tf32="}, "is empty: want true or false"},
	} {
		if _, err := Load("streets", k.settings); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%v: have %v, want %s", k.settings, err, k.want)
		}
	}
}

// TestPrecisionHash: what rounds on every device changes the hash, what one kind of device may
// round does not, so that hashes from before there was runtime.precision hold.
func TestPrecisionHash(t *testing.T) {
	hash := func(settings ...string) string {
		c, err := Load("streets", settings)
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	base := hash()
	for _, same := range []string{"runtime.precision=fp32", "runtime.precision=tf32", "runtime.cuda.tf32=false", "runtime.cuda.tf32=true"} {
		if have := hash(same); have != base {
			t.Errorf("%s: %s, want %s", same, have, base)
		}
	}
	bf16, fp16 := hash("runtime.precision=bf16"), hash("runtime.precision=fp16")
	if bf16 == base || fp16 == base || bf16 == fp16 || bf16 != hash("runtime.precision=bf16", "runtime.cuda.tf32=false") {
		t.Errorf("float32 %s, bf16 %s, fp16 %s", base, bf16, fp16)
	}
}
