package streets_test

import (
	"hash/fnv"
	"runtime"
	"testing"

	"t2sda/datasets/streets"
)

// Trees on disk are kept as long as Version stays, so that it must change with
// the pictures. Other processors may fuse multiplications and round otherwise.
func TestVersionFollowsThePictures(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skipf("the sums were made on amd64, not %s", runtime.GOARCH)
	}
	h := fnv.New64a()
	for _, d := range []streets.Domain{streets.Game, streets.Camera} {
		for i := range 3 {
			img, lab := streets.Render(1, i, d, 128, 64)
			for _, v := range img.Pix {
				h.Write([]byte{byte(v)})
			}
			h.Write(lab.Pix)
		}
	}
	const version, sum = 2, 0x51b7080643ca7eec
	if got := h.Sum64(); streets.Version != version || got != sum {
		t.Errorf("version %d has the sum %#x; the test knows version %d with %#x: when pictures change, raise streets.Version and note both here",
			streets.Version, got, version, uint64(sum))
	}
}
