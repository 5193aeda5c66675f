package jpegrows

// Picture is a decoded file. Its colours are made as its rows are asked for.
type Picture struct {
	W, H   int
	planes []*upsampler
	colour func(dst []byte, rows [4][]byte)
	row    []byte
}

func newPicture(d *decoder) *Picture {
	p := &Picture{W: d.w, H: d.h, row: make([]byte, 3*d.w), colour: d.colours()}
	for i := range d.comps {
		p.planes = append(p.planes, newUpsampler(&d.comps[i], d.w, d.hmax, d.vmax))
	}
	return p
}

// Row returns row y as packed RGB, valid until the next call.
func (p *Picture) Row(y int) []byte {
	var rows [4][]byte
	for i, u := range p.planes {
		rows[i] = u.at(y)
	}
	p.colour(p.row, rows)
	return p.row
}

// colours returns what makes RGB of the components. Which colours those are,
// libjpeg's rules say (jdapimin.c).
func (d *decoder) colours() func(dst []byte, rows [4][]byte) {
	ids := ""
	for _, c := range d.comps {
		ids += string(rune(c.id))
	}
	switch {
	case len(ids) == 1:
		return fromGray
	case len(ids) == 4 && d.adobe == 2:
		return fromYCCK
	case len(ids) == 4:
		return fromCMYK
	case !d.jfif && (d.adobe == 0 || d.adobe < 0 && ids == "RGB"):
		return fromRGB
	}
	return fromYCC
}

func fromGray(dst []byte, rows [4][]byte) {
	for x, v := range rows[0][:len(dst)/3] {
		p := dst[3*x : 3*x+3 : 3*x+3]
		p[0], p[1], p[2] = v, v, v
	}
}

func fromRGB(dst []byte, rows [4][]byte) {
	r, g, b := rows[0], rows[1], rows[2]
	for x := range len(dst) / 3 {
		dst[3*x], dst[3*x+1], dst[3*x+2] = r[x], g[x], b[x]
	}
}

// fromYCC is jdcolor.c's conversion: constants of 16 fractional bits, each
// product rounded.
func fromYCC(dst []byte, rows [4][]byte) {
	n := len(dst) / 3
	lum, blue, red := rows[0][:n], rows[1][:n], rows[2][:n]
	for x, v := range lum {
		y, cb, cr := int32(v), int32(blue[x])-128, int32(red[x])-128
		p := dst[3*x : 3*x+3 : 3*x+3]
		p[0] = clamp(y + (91881*cr+1<<15)>>16)
		p[1] = clamp(y + (1<<15-22554*cb-46802*cr)>>16)
		p[2] = clamp(y + (116130*cb+1<<15)>>16)
	}
}

// fromCMYK multiplies what the inks leave of the light. Samples say how much of the
// paper is left white, as Adobe stores them: PIL, OpenCV and browsers take files that
// do not say who wrote them for Adobe's, too.
func fromCMYK(dst []byte, rows [4][]byte) {
	for x := range len(dst) / 3 {
		black := uint(rows[3][x])
		for i := range 3 {
			light := uint(rows[i][x])*black + 128
			dst[3*x+i] = byte((light>>8 + light) >> 8) // divided by 255
		}
	}
}

// fromYCCK takes the first three for what Adobe makes of them: the colours of the
// paper's white that is left, inverted.
func fromYCCK(dst []byte, rows [4][]byte) {
	fromYCC(dst, rows)
	for x := range len(dst) / 3 {
		black := uint(rows[3][x])
		for i := range 3 {
			light := uint(255-dst[3*x+i])*black + 128
			dst[3*x+i] = byte((light>>8 + light) >> 8)
		}
	}
}
