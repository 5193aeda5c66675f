package streets

// The classes by their Cityscapes train id.
const (
	road uint8 = iota
	sidewalk
	building
	wall
	fence
	pole
	trafficLight
	trafficSign
	vegetation
	terrain
	sky
	person
	rider
	car
	truck
	bus
	train
	motorcycle
	bicycle
	numClasses
)

// solid is one colour.
type solid struct {
	col   rgb
	label uint8
}

func (s *solid) shade(c *canvas, fs []frag) {
	for k := range fs {
		c.put(&fs[k], s.col, s.label)
	}
}

// round is a cylinder or ball seen from outside: u runs from -1 to 1 across,
// lit from the side where lit has its sign.
type round struct {
	col   rgb
	label uint8
	lit   float32
}

func (s *round) shade(c *canvas, fs []frag) {
	for k := range fs {
		u := fs[k].u
		c.put(&fs[k], s.col.mul(1.08-0.45*u*u+0.3*s.lit*u), s.label)
	}
}

// ground is a textured horizontal surface; u, v are metres.
type ground struct {
	col    rgb
	label  uint8
	n      *noises
	grain  float32 // amplitude of the fine texture
	stain  float32 // amplitude of the large spots
	tile   float32 // edge of paving slabs in metres, 0 for none
	joint  float32 // darkness of the joints between slabs
	tracks float32 // lightening where wheels run: lane width, 0 for none
	offset float32 // shifts the textures
}

func (s *ground) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		near := min(1, 9*f.iz)
		g := 1 + s.grain*near*s.n.grain.at(f.u*28+s.offset, f.v*28) +
			s.stain*s.n.cloud.at(f.u*7+s.offset, f.v*3.5) +
			s.grain*0.6*s.n.leaf.at(f.u*9, f.v*6+s.offset)
		if s.tile > 0 {
			g *= s.slab(f, near)
		}
		if s.tracks > 0 {
			t := f.u / s.tracks * 2
			t -= float32(int32(t+64)) - 64 + 0.5
			g *= 1.04 - 0.35*t*t*s.stain
		}
		c.put(f, s.col.mul(g), s.label)
	}
}

// slab is the brightness of the paving pattern.
func (s *ground) slab(f *frag, near float32) float32 {
	a, b := f.u/s.tile+4096, f.v/s.tile+4096
	ia, ib := int32(a), int32(b)
	a, b = a-float32(ia), b-float32(ib)
	g := 1 + (unit(hash(ia, ib, 7))-0.5)*s.joint*0.5
	if a < 0.06 || b < 0.06 {
		g -= s.joint * near
	}
	return g
}

// foliage is a ball of leaves: u, v in [-1, 1] over its square; the rim is
// ragged and cut out.
type foliage struct {
	col      rgb // lit leaves
	dark     rgb // leaves in shade
	label    uint8
	n        *noises
	scale    float32 // texture cells per unit of u
	ou, ov   float32 // texture offset
	lu, lv   float32 // direction of the light in (u, v)
	ragged   float32 // depth of the cut-out rim
	contrast float32
}

func (s *foliage) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		r2 := f.u*f.u + f.v*f.v
		tu, tv := f.u*s.scale+s.ou, f.v*s.scale+s.ov
		if r2 > 1 {
			continue
		}
		n, m := s.n.leaf.at(tu, tv), s.n.grain.at(tu*1.3, tv*1.3)
		if r2+s.ragged*(n+0.45*m+0.12) > 0.9 {
			continue
		}
		t := 0.5 + 0.33*(f.u*s.lu+f.v*s.lv) + s.contrast*(0.8*n+0.7*m) - 0.12*r2
		c.put(f, s.dark.mix(s.col, clamp(t, 0, 1.25)), s.label)
	}
}

// railing is a fence: u metres along, v metres up. Its label covers the whole
// outline, as in Cityscapes, while the colour behind shows through the gaps.
type railing struct {
	col        rgb
	height     float32
	pitch, bar float32 // distance and width of the bars, metres
	rail       float32 // width of the top and bottom rails
	post       float32 // distance of the posts
	diamond    bool    // wire mesh instead of bars
}

func (s *railing) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		fp := f.z / c.cam.focal // metres per sample
		cover := min(1, s.bar/max(s.pitch, fp)*1.3)
		if fp < s.pitch*0.6 {
			cover = 0
			if s.hit(f, max(s.bar, fp*0.8)) {
				cover = 1
			}
		}
		if s.frame(f, fp) {
			cover = 1
		}
		c.put(f, c.col[f.i].mix(s.col, cover), fence)
	}
}

// hit tells whether the sample lies on a bar or wire of the given width.
func (s *railing) hit(f *frag, width float32) bool {
	if s.diamond {
		a, b := (f.u+f.v)/s.pitch+4096, (f.u-f.v)/s.pitch+4096
		a, b = a-float32(int32(a)), b-float32(int32(b))
		w := width / s.pitch
		return a < w || b < w
	}
	a := f.u/s.pitch + 4096
	return a-float32(int32(a)) < width/s.pitch
}

// frame tells whether the sample lies on a rail or a post.
func (s *railing) frame(f *frag, fp float32) bool {
	w := max(s.rail, fp)
	if f.v > s.height-w || f.v > 0.12 && f.v < 0.12+w {
		return true
	}
	a := f.u/s.post + 512
	return (a-float32(int32(a)))*s.post < max(0.08, fp)
}

// masonry is the texture of free-standing walls: bricks or concrete panels.
type masonry struct {
	col, gap rgb
	n        *noises
	bw, bh   float32 // brick size in metres
	amp      float32
	height   float32
}

func (s *masonry) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		fp := f.z / c.cam.focal
		b := f.v / s.bh
		row := int32(b)
		a := f.u/s.bw + 0.5*float32(row&1) + 512
		ia := int32(a)
		fa, fb := (a-float32(ia))*s.bw, (b-float32(row))*s.bh
		g := 1 + s.amp*(s.n.grain.at(f.u*18, f.v*18)*0.6+s.n.cloud.at(f.u*6, f.v*9)) +
			s.amp*0.5*(unit(hash(ia, row, 3))-0.5)
		col := s.col
		if w := 0.018 + 0.02*s.bw; fp < s.bh*0.6 && (fa < w || fb < w) {
			col = s.gap
		}
		if f.v > s.height-0.12 {
			col = s.gap.mul(1.2)
		}
		c.put(f, col.mul(g), wall)
	}
}

// shadow darkens the ground once, however many shadows overlap.
type shadow struct{ tint rgb }

func (s *shadow) shade(c *canvas, fs []frag) {
	for k := range fs {
		if i := fs[k].i; !c.dark[i] {
			c.dark[i] = true
			c.col[i] = c.col[i].times(s.tint)
		}
	}
}

// contact is the soft darkness under an object; u, v in [-1, 1].
type contact struct{ depth float32 }

func (s *contact) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		u, v := f.u*f.u, f.v*f.v
		t := max(0, 1-u*u) * max(0, 1-v*v)
		c.col[f.i] = c.col[f.i].mul(1 - s.depth*t)
	}
}
