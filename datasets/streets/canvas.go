package streets

import "math"

// Supersampling per axis: every output pixel is the mean of four samples.
const superSampling = 2

// nearPlane clips geometry closer than this to the camera, in metres.
const nearPlane = 0.25

// canvas is the sample buffer of one picture: colour, inverse depth and label.
type canvas struct {
	w, h  int // samples
	cam   camera
	depth []float32 // 1/z in the camera's axes; 0 is the sky
	col   []rgb
	lab   []uint8
	dark  []bool // sample lies in a cast shadow already

	lo, hi []float32 // left and right end of the polygon on each row
	clip   [2][]corner
	frags  []frag
}

// vertex is a polygon corner in the world with its texture coordinates.
type vertex struct {
	p    vec3
	u, v float32
}

// corner is a polygon corner in the camera's axes.
type corner struct {
	p    vec3
	u, v float32
}

// screen is a projected corner: sample position, 1/z, u/z, v/z.
type screen struct{ x, y, iz, uz, vz float32 }

// frag is a sample of a polygon that passed the depth test.
type frag struct {
	i           int32 // index into the canvas
	iz, z, u, v float32
}

// shader colours the samples of one span; it decides by itself which of them
// are written, so that cut-outs (leaves, bars) are possible. It is called once
// per span, never per sample.
type shader interface{ shade(c *canvas, fs []frag) }

func newCanvas(w, h int) *canvas {
	n := w * h
	return &canvas{
		w: w, h: h,
		depth: make([]float32, n), col: make([]rgb, n), lab: make([]uint8, n), dark: make([]bool, n),
		lo: make([]float32, h), hi: make([]float32, h),
		clip:  [2][]corner{make([]corner, 0, 24), make([]corner, 0, 24)},
		frags: make([]frag, 0, w),
	}
}

// put writes a sample.
func (c *canvas) put(f *frag, col rgb, label uint8) {
	c.col[f.i], c.depth[f.i], c.lab[f.i] = col, f.iz, label
}

// polygon draws a convex planar polygon. bias scales the inverse depth that is
// tested, so that decals win over the surface they lie on (1 for none).
func (c *canvas) polygon(sh shader, bias float32, vs ...vertex) {
	in := c.clip[0][:0]
	for _, v := range vs {
		in = append(in, corner{c.cam.local(v.p), v.u, v.v})
	}
	c.clipped(sh, bias, in)
}

// clipped cuts the polygon at the near plane, projects and fills it.
func (c *canvas) clipped(sh shader, bias float32, in []corner) {
	if c.outside(in) {
		return
	}
	out := c.clip[1][:0]
	for i, a := range in {
		b := in[(i+1)%len(in)]
		if a.p.z >= nearPlane {
			out = append(out, a)
		}
		if (a.p.z >= nearPlane) != (b.p.z >= nearPlane) {
			t := (nearPlane - a.p.z) / (b.p.z - a.p.z)
			p := a.p.lerp(b.p, t)
			p.z = nearPlane
			out = append(out, corner{p, lerp(a.u, b.u, t), lerp(a.v, b.v, t)})
		}
	}
	if len(out) < 3 {
		return
	}
	var buf [16]screen
	n := min(len(out), len(buf))
	for i, a := range out[:n] {
		iz := 1 / a.p.z
		buf[i] = screen{
			c.cam.cx + c.cam.focal*a.p.x*iz, c.cam.cy - c.cam.focal*a.p.y*iz,
			iz, a.u * iz, a.v * iz,
		}
	}
	c.fill(sh, bias, buf[:n])
}

// outside tells whether all corners lie beyond one edge of the picture.
func (c *canvas) outside(in []corner) bool {
	tx, ty := c.edge()
	var l, r, u, d, n int
	for i := range in {
		p := &in[i].p
		l += bit(p.x < -tx*p.z)
		r += bit(p.x > tx*p.z)
		u += bit(p.y > ty*p.z)
		d += bit(p.y < -ty*p.z)
		n += bit(p.z < nearPlane)
	}
	return max(l, r, u, d, n) == len(in)
}

// edge gives the largest slopes |x/z| and |y/z| within the picture.
func (c *canvas) edge() (tx, ty float32) {
	return max(c.cam.cx, float32(c.w)-c.cam.cx) / c.cam.focal, max(c.cam.cy, float32(c.h)-c.cam.cy) / c.cam.focal
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ballHidden tells whether a ball of radius r lies outside of the picture.
func (c *canvas) ballHidden(o vec3, r float32) bool {
	p := c.cam.local(o)
	tx, ty := c.edge()
	r *= 1 + max(tx, ty) // bounds the distance to the slanted planes
	return p.z < nearPlane-r || abs(p.x) > tx*p.z+r || abs(p.y) > ty*p.z+r
}

// rows writes the polygon's horizontal extent on every sample row it covers
// into lo and hi and returns the rows' range.
func (c *canvas) rows(vs []screen) (y0, y1 int) {
	top, bottom := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	for i := range vs {
		top, bottom = min(top, vs[i].y), max(bottom, vs[i].y)
	}
	y0, y1 = c.row(top), c.row(bottom)
	for y := y0; y < y1; y++ {
		c.lo[y], c.hi[y] = math.MaxFloat32, -math.MaxFloat32
	}
	for i := range vs {
		a, b := &vs[i], &vs[(i+1)%len(vs)]
		if a.y > b.y {
			a, b = b, a
		}
		e0, e1 := c.row(a.y), c.row(b.y)
		if e0 >= e1 {
			continue
		}
		slope := (b.x - a.x) / (b.y - a.y)
		for y := e0; y < e1; y++ {
			x := a.x + (float32(y)+0.5-a.y)*slope
			c.lo[y], c.hi[y] = min(c.lo[y], x), max(c.hi[y], x)
		}
	}
	return y0, y1
}

// row is the first sample row whose centre is not above y, within the canvas.
func (c *canvas) row(y float32) int {
	return int(math.Ceil(float64(clamp(y, 0, float32(c.h)) - 0.5)))
}

// plane is a quantity linear in the sample position: its value at the origin
// and its steps.
type plane struct{ o, dx, dy float32 }

// fill draws a projected convex polygon.
func (c *canvas) fill(sh shader, bias float32, vs []screen) {
	a := vs[0]
	var b, d screen
	var area float32
	for i := 1; i+1 < len(vs); i++ { // the largest fan triangle carries the gradients
		p, q := vs[i], vs[i+1]
		if s := (p.x-a.x)*(q.y-a.y) - (q.x-a.x)*(p.y-a.y); abs(s) > abs(area) {
			area, b, d = s, p, q
		}
	}
	if abs(area) < 1e-6 {
		return
	}
	ia := 1 / area
	grad := func(qa, qb, qd float32) plane {
		dx := ((qb-qa)*(d.y-a.y) - (qd-qa)*(b.y-a.y)) * ia
		dy := ((qd-qa)*(b.x-a.x) - (qb-qa)*(d.x-a.x)) * ia
		return plane{qa, dx, dy}
	}
	pz, pu, pv := grad(a.iz, b.iz, d.iz), grad(a.uz, b.uz, d.uz), grad(a.vz, b.vz, d.vz)
	zLo, zHi := a.iz, a.iz // rounding at grazing polygons must not leave their depth range
	for i := range vs {
		zLo, zHi = min(zLo, vs[i].iz), max(zHi, vs[i].iz)
	}
	y0, y1 := c.rows(vs)
	for y := y0; y < y1; y++ {
		if c.lo[y] >= c.hi[y] {
			continue
		}
		x0 := int(math.Ceil(float64(clamp(c.lo[y], 0, float32(c.w)) - 0.5)))
		x1 := int(math.Ceil(float64(clamp(c.hi[y], 0, float32(c.w)) - 0.5)))
		if x0 >= x1 {
			continue
		}
		rx, ry := float32(x0)+0.5-a.x, float32(y)+0.5-a.y
		c.span(sh, y*c.w+x0, y*c.w+x1, bias, zLo, zHi,
			plane{pz.o + pz.dx*rx + pz.dy*ry, pz.dx, 0},
			plane{pu.o + pu.dx*rx + pu.dy*ry, pu.dx, 0},
			plane{pv.o + pv.dx*rx + pv.dy*ry, pv.dx, 0})
	}
}

// span collects the samples i0 ≤ i < i1 of one row that pass the depth test
// and hands them to the shader.
func (c *canvas) span(sh shader, i0, i1 int, bias, zLo, zHi float32, pz, pu, pv plane) {
	depth := c.depth[i0:i1]
	fs, n := c.frags[:len(depth)], 0
	end := pz.o + pz.dx*float32(i1-i0-1)
	if lo, hi := min(pz.o, end), max(pz.o, end); lo < zLo || hi > zHi {
		pz.o = clamp(pz.o, zLo, zHi)
		pz.dx = (clamp(end, zLo, zHi) - pz.o) / float32(max(i1-i0-1, 1))
	}
	iz := pz.o
	for k, d := range depth {
		if iz*bias > d {
			z, t := 1/iz, float32(k)
			f := &fs[n]
			f.i, f.iz, f.z = int32(i0+k), iz, z
			f.u, f.v = (pu.o+t*pu.dx)*z, (pv.o+t*pv.dx)*z
			n++
		}
		iz += pz.dx
	}
	if n > 0 {
		sh.shade(c, fs[:n])
	}
}
