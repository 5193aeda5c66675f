package translate

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"sync"

	"t2sda/internal/raster"
)

// Shapes of the FDA window.
const (
	BoxMin  = "min"  // b = ⌊L·min(H,W)⌋ on both axes
	BoxAxes = "axes" // ⌊L·H⌋ vertically, ⌊L·W⌋ horizontally
)

// zeroAmplitude is the amplitude per pixel, in grey levels, below which a
// source coefficient counts as zero: far above the rounding of float64 sums,
// far below what 8-bit pictures hold.
const zeroAmplitude = 1e-9

// maxTables bounds the tables that an FDA value keeps, for folders in which
// every image has another size.
const maxTables = 16

// FDA is Fourier domain adaptation (Yang and Soatto, CVPR 2020): inside of a
// window around frequency 0, the amplitudes of the source's spectrum are
// replaced by the target's and the source's phases are kept, per channel.
//
// Only the window's (2b+1)² coefficients change, so no full transform is made:
// the result is the source plus the inverse transform of the coefficients'
// change, and all products are as thin as the window. Sums are float64; the
// result equals that of the full transform to float32 rounding.
//
// A source coefficient of amplitude zero (at most 1e-9 grey levels per pixel)
// has no phase; it is given phase 0, as numpy's angle(0) does, so that results
// for flat sources do not hang on rounding noise.
//
// An FDA keeps tables of the sizes it has met and is safe for concurrent use;
// it must not be copied after first use. The zero value swaps means (b = 0)
// without clipping; [New] with [DefaultOptions] gives the usual settings.
type FDA struct {
	Band       float64 // L: half width of the window as a share of the side, [0, 0.5)
	Box        string  // BoxMin (also "") or BoxAxes
	Asymmetric bool    // frequencies −b…b−1 (2b×2b, as in the public torch code) instead of −b…b
	Clip       bool    // clip the result to 0–255
	Workers    int     // goroutines per image; 0 and 1: the calling one only

	mu   sync.Mutex
	axes map[[2]int]*axis // by length and b
}

// Validate returns an error that names the field that is out of range.
func (f *FDA) Validate() error {
	if !(f.Band >= 0 && f.Band < 0.5) {
		return fmt.Errorf("translate: band: %v is outside of [0, 0.5)", f.Band)
	}
	if f.Workers < 0 {
		return fmt.Errorf("translate: workers: %d is negative", f.Workers)
	}
	if f.Box == "" {
		return nil
	}
	return oneOf("box", f.Box, BoxMin, BoxAxes)
}

// Window returns the window's half heights for an image of w × h pixels:
// vertical frequencies |u| ≤ bu and horizontal ones |v| ≤ bv are translated.
func (f *FDA) Window(w, h int) (bu, bv int) {
	if f.Box == BoxAxes {
		return int(f.Band * float64(h)), int(f.Band * float64(w))
	}
	b := int(f.Band * float64(min(w, h)))
	return b, b
}

// Translate returns the source with the target's low-frequency amplitudes.
// Both must have one size. It draws nothing from r, which may be nil.
func (f *FDA) Translate(r *rand.Rand, source, target *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	return f.TranslateCrop(r, source, target, image.Rect(0, 0, source.W, source.H))
}

// TranslateCrop returns a rectangle of what [FDA.Translate] returns, bit for
// bit, and works out that part alone: the amplitudes are those of the whole
// images. The rectangle must lie in the source.
func (f *FDA) TranslateCrop(_ *rand.Rand, source, target *raster.Image, crop image.Rectangle) (*raster.Image, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	if err := checkImage("target", target); err != nil {
		return nil, fmt.Errorf("%w (engine %s)", err, EngineFDA)
	}
	if source.W != target.W || source.H != target.H {
		return nil, fmt.Errorf("translate: FDA needs images of one size: source is %d×%d, target %d×%d",
			source.W, source.H, target.W, target.H)
	}
	if whole := image.Rect(0, 0, source.W, source.H); crop.Empty() || !crop.In(whole) {
		return nil, fmt.Errorf("translate: crop %v does not lie in an image of %d×%d", crop, source.W, source.H)
	}
	bu, bv := f.Window(source.W, source.H)
	t := transform{rows: f.axis(source.W, bv), columns: f.axis(source.H, bu), workers: max(f.Workers, 1)}
	s := t.spectrum(source)
	f.exchange(t, s, t.spectrum(target))
	return t.add(source, s, crop, f.Clip), nil
}

// axis returns the table for n samples and frequencies up to b.
func (f *FDA) axis(n, b int) *axis {
	key := [2]int{n, b}
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.axes[key]; a != nil {
		return a
	}
	if f.axes == nil || len(f.axes) >= maxTables {
		f.axes = make(map[[2]int]*axis)
	}
	a := newAxis(n, b)
	f.axes[key] = a
	return a
}

// exchange turns the source's coefficients (in place) into those of the
// change Δ = |T|·S/|S| − S, ready for transform.add.
func (f *FDA) exchange(t transform, source, target []float64) {
	grid := t.rows.coefficients() * t.columns.coefficients()
	for c := range 3 {
		s, tg := source[c*grid:(c+1)*grid], target[c*grid:(c+1)*grid]
		for v := range t.rows.b + 1 {
			for u := range t.columns.b + 1 {
				sp, sm := t.coefficient(s, u, v)
				tp, tm := t.coefficient(tg, u, v)
				t.setChange(s, u, v, f.change(t, sp, tp, u, v), f.change(t, sm, tm, -u, v))
			}
		}
	}
}

// change returns Δ(u,v), with the weight that the window gives it.
//
// The asymmetric box breaks the conjugate symmetry; the real part of the
// inverse transform is then that of (Δ(u,v) + conj Δ(−u,−v))/2, hence a half
// where only one of the two frequencies is in the box.
func (f *FDA) change(t transform, s, target complex128, u, v int) complex128 {
	n := float64(t.rows.n * t.columns.n)
	amplitude := math.Hypot(real(target), imag(target))
	d := complex(amplitude, 0) - s
	if a := math.Hypot(real(s), imag(s)); a > zeroAmplitude*n {
		d = s * complex(amplitude/a-1, 0)
	}
	if !f.Asymmetric {
		return d
	}
	inside := func(u, v int) float64 {
		if u < t.columns.b && v < t.rows.b { // −b ≤ u, v holds for the whole window
			return 0.5
		}
		return 0
	}
	return d * complex(inside(u, v)+inside(-u, -v), 0)
}
