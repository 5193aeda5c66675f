package picture

import (
	"encoding/binary"
	"math"
	"testing"
)

// FuzzCurves: whatever numbers a file of events or of results holds, they are drawn or
// refused.
func FuzzCurves(f *testing.F) {
	add := func(kind uint8, values ...float64) {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		f.Add(kind, b)
	}
	add(0, 1, 2, 3, 4)
	add(1, 1, 1e308, 2, -1e308, 3, 5e-324)
	add(2, math.MaxInt64, 1, math.MinInt64, 1)
	add(3, 1, math.Inf(1), 2, math.NaN())
	add(4, 1e-300, 1, 1e300, 1)
	add(7, 5, 5, 5, 5)
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		s := Series{Name: "a", Smooth: kind&1 != 0, Dots: kind&2 != 0}
		for len(b) >= 16 && len(s.X) < 64 {
			s.X = append(s.X, math.Float64frombits(binary.LittleEndian.Uint64(b)))
			s.Y = append(s.Y, math.Float64frombits(binary.LittleEndian.Uint64(b[8:])))
			b = b[16:]
		}
		if kind&4 != 0 {
			s.Err = s.Y
		}
		o := CurvesOptions{Title: "t", Small: true, LogX: kind&16 != 0, FromZero: kind&32 != 0}
		img, err := Curves(o, s)
		if err == nil && img.Bounds().Dx() != Density*smallWidth {
			t.Errorf("%v", img.Bounds())
		}
	})
}
