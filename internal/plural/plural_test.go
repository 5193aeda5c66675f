package plural

import "testing"

func TestOf(t *testing.T) {
	for n, want := range map[int]string{0: "0 files are", 1: "1 file is", 2: "2 files are"} {
		if have := Of(n, "file is", "files are"); have != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}
