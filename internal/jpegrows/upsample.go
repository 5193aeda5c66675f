package jpegrows

// Components of reduced size are brought to the picture's as libjpeg does by
// default ("fancy upsampling", jdsample.c): by half, the new samples lie a quarter
// of the old ones' distance beside them and are linear between the two nearest, 3
// parts to 1. Sums are rounded up and down in turn, so that none shifts the whole.
// Other factors repeat the samples.

// upsampler yields a component's rows at the picture's width.
type upsampler struct {
	c          *component
	hmax, vmax int
	row        []byte
	sums       []int32 // of two rows, 3 parts to 1
}

func newUpsampler(c *component, w, hmax, vmax int) *upsampler {
	u := &upsampler{c: c, hmax: hmax, vmax: vmax}
	if hmax != c.h || vmax != c.v {
		u.row = make([]byte, max(w, 2*c.w))
		u.sums = make([]int32, c.w)
	}
	return u
}

// samples returns the real samples of a row of the component. Beyond the top and
// the bottom, the outermost rows are repeated.
func (u *upsampler) samples(y int) []byte {
	at := min(max(y, 0), u.c.rows-1) * u.c.stride
	return u.c.pix[at : at+u.c.w]
}

// at returns row y of the picture; it is valid until the next call.
func (u *upsampler) at(y int) []byte {
	c := u.c
	halfX, halfY := 2*c.h == u.hmax, 2*c.v == u.vmax
	smoothX := halfX && c.w > 2 // libjpeg leaves narrower ones
	row := u.samples(y * c.v / u.vmax)
	switch {
	case c.h == u.hmax && c.v == u.vmax:
		return row
	case c.h == u.hmax && halfY:
		// Rounded up for the upper of two rows, down for the lower.
		betweenRows(u.row, row, u.samples(y/2-1+2*(y&1)), uint(1+y&1))
	case smoothX && c.v == u.vmax:
		betweenColumns(u.row, row)
	case smoothX && halfY:
		betweenBoth(u.row, u.sums, row, u.samples(y/2-1+2*(y&1)))
	default:
		repeat(u.row, row, c.h, u.hmax)
	}
	return u.row
}

func betweenRows(dst, near, far []byte, bias uint) {
	for x, v := range near {
		dst[x] = byte((3*uint(v) + uint(far[x]) + bias) >> 2)
	}
}

func betweenColumns(dst, src []byte) {
	last := len(src) - 1
	dst[0], dst[2*last+1] = src[0], src[last]
	left := uint(src[0])
	for x := range last {
		right := uint(src[x+1])
		dst[2*x+1] = byte((3*left + right + 2) >> 2)
		dst[2*x+2] = byte((3*right + left + 1) >> 2)
		left = right
	}
}

func betweenBoth(dst []byte, sums []int32, near, far []byte) {
	for x, v := range near {
		sums[x] = 3*int32(v) + int32(far[x])
	}
	last := len(sums) - 1
	dst[0], dst[2*last+1] = byte((4*sums[0]+8)>>4), byte((4*sums[last]+7)>>4)
	left := sums[0]
	for x := range last {
		right := sums[x+1]
		dst[2*x+1] = byte((3*left + right + 7) >> 4)
		dst[2*x+2] = byte((3*right + left + 8) >> 4)
		left = right
	}
}

// repeat takes the sample that each pixel lies in.
func repeat(dst, src []byte, h, hmax int) {
	for x := range dst {
		dst[x] = src[min(x*h/hmax, len(src)-1)]
	}
}
