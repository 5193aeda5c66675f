package streets

// facade is the front of a building: u metres along, v metres up.
type facade struct {
	wall, trim, frame  rgb
	pane, reflect      rgb // glass from inside and what it mirrors
	shop, sign         rgb
	n                  *noises
	bay, storey        float32 // window distance, height of a floor
	wide, sill, lintel float32 // half width (of bay), window bottom and top (of storey)
	base               float32 // height of the ground floor
	height             float32
	brick              float32 // height of a course, 0 for plaster
	amp                float32
	seed               uint32
}

func (s *facade) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		var col rgb
		if f.v < s.base {
			col = s.ground(f)
		} else {
			col = s.floors(f, f.z/c.cam.focal)
		}
		c.put(f, col, building)
	}
}

// floors is the colour above the ground floor; fp is metres per sample.
func (s *facade) floors(f *frag, fp float32) rgb {
	k := (f.v - s.base) / s.storey
	fl := int32(k)
	lv := k - float32(fl)
	m := f.u/s.bay + 256
	b := int32(m)
	lu := abs(m - float32(b) - 0.5)
	if f.v > s.height-0.5 || lv < 0.05 && s.seed&3 == 0 {
		return s.trim
	}
	frame := max(0.07/s.bay, 0.6*fp/s.bay)
	inside := f.v < s.height-0.9 && lv > s.sill && lv < s.lintel
	if inside && lu < s.wide {
		edge := lu > s.wide-frame || lv < s.sill+0.03 || lv > s.lintel-0.03 || s.seed&4 == 0 && lu < frame*0.5
		if edge && fp < 0.2 {
			return s.frame
		}
		h := hash(fl, b, s.seed)
		t := unit(h)*0.75 + 0.3*(lv-s.sill)
		if h&15 == 0 {
			return s.frame.mix(s.reflect, 0.3)
		}
		return s.pane.mix(s.reflect, clamp(t, 0, 1))
	}
	if s.seed&24 == 0 && inside && lu < s.wide*1.35 { // surrounds
		return s.trim
	}
	return s.plaster(f, fp)
}

// plaster is the texture of the bare wall.
func (s *facade) plaster(f *frag, fp float32) rgb {
	g := 1 + s.amp*(s.n.cloud.at(f.u*2.5, f.v*1.5)+0.5*s.n.grain.at(f.u*9, f.v*9)*min(1, 12*f.iz))
	if s.brick > 0 && fp < s.brick {
		r := f.v / s.brick
		ir := int32(r)
		a := f.u/(s.brick*2.8) + 0.5*float32(ir&1) + 512
		ia := int32(a)
		g *= 1 + 0.3*(unit(hash(ia, ir, 5))-0.5)
		if r-float32(ir) < 0.16 {
			g *= 1.14
		}
	}
	return s.wall.mul(g)
}

// ground is the colour of the ground floor: shop windows, doors, a sign band.
func (s *facade) ground(f *frag) rgb {
	w := s.bay * 1.5
	m := f.u/w + 256
	b := int32(m)
	lu := m - float32(b)
	h := hash(b, 91, s.seed)
	switch {
	case f.v < 0.35:
		return s.trim.mul(0.6)
	case s.seed&32 == 0 && f.v > s.base-0.95 && f.v < s.base-0.2:
		if h&3 == 0 {
			return s.shop
		}
		return s.sign
	case f.v > s.base-0.95:
		return s.trim
	case s.seed&32 != 0: // dwellings: a door or a window
		if h&3 == 0 && lu > 0.3 && lu < 0.6 && f.v < 2.4 {
			return s.shop.mul(0.7)
		}
		if h&3 != 0 && lu > 0.25 && lu < 0.7 && f.v > 1.1 {
			return s.pane.mix(s.reflect, unit(h)*0.6)
		}
		return s.wall.mul(0.85)
	case lu > 0.07 && lu < 0.93:
		t := 0.25 + 0.5*unit(h)*f.v/s.base
		if g := hash(int32(f.u*2.4)+1024, int32(f.v*1.7), s.seed); f.v < 2.1 && g&3 == 0 { // goods on display
			return s.shop.mix(s.pane, 0.35+0.5*unit(g))
		}
		return s.pane.mix(s.reflect, t)
	}
	return s.trim.mul(0.8)
}

// style draws the look of one building.
func (s *scene) style(h float32) *facade {
	k := s.kind
	wallCol := s.vary(s.paint(s.p.facades), 0.12)
	d := &facade{
		wall: wallCol, trim: wallCol.mix(s.paint([]uint32{0xd8d2c4, 0x8c8780, 0x6d665e}), 0.6),
		frame: s.paint([]uint32{0xe8e6e0, 0xe8e6e0, 0x4a4038, 0x55595c}),
		pane:  s.paint([]uint32{0x1c2226, 0x22282c, 0x2a2c2c}), reflect: s.light.rim.mul(0.55),
		shop: s.paint(s.p.signs), sign: s.paint(s.p.signs),
		n: s.n, bay: s.uni(1.8, 3.6), storey: s.uni(2.9, 3.7),
		wide: s.uni(0.2, 0.36), sill: s.uni(0.2, 0.34), lintel: s.uni(0.72, 0.86),
		base: s.uni(3.4, 4.4), height: h, amp: 0.28 * s.p.texture.stain, seed: s.rnd.Uint32(),
	}
	switch {
	case s.chance(k.modern): // ribbon windows or a curtain wall
		d.wide, d.sill, d.lintel = s.uni(0.44, 0.5), s.uni(0.08, 0.35), 0.93
		d.wall = s.vary(s.paint([]uint32{0xb9bcbd, 0x8f9698, 0x70777c, 0xc9c4ba, 0x5a6268}), 0.1)
	case s.chance(0.3):
		d.brick = s.uni(0.08, 0.11)
	}
	return d
}

// under gives the style as lit on a face with the given normal.
func (d *facade) under(l *light, n vec3) *facade {
	e := *d
	q := l.on(n)
	e.wall, e.trim, e.frame = d.wall.times(q), d.trim.times(q), d.frame.times(q)
	e.shop, e.sign = d.shop.times(q), d.sign.times(q)
	e.pane = d.pane.times(l.mean())
	return &e
}

// block draws a building between z0 and z1 whose front stands at lateral
// distance x from the axis on the given side, deep metres deep.
func (s *scene) block(sd float32, x, z0, z1, h, deep float32, d *facade) {
	base := s.point(sd*x, 0, z0).y - 0.3
	a, b := s.point(sd*x, 0, z0), s.point(sd*x, 0, z1)
	ab, bb := s.point(sd*(x+deep), 0, z0), s.point(sd*(x+deep), 0, z1)
	a.y, b.y, ab.y, bb.y = base, base, base, base
	s.storeyed(sd, a, b, h, z1-z0, d)
	s.storeyed(sd, ab, a, h, deep, d)
	s.storeyed(sd, b, bb, h, deep, d)
	if s.chance(s.kind.pitched) {
		s.roof(sd, a, b, ab, bb, h)
	}
}

// storeyed draws one upright face from a to b. Seen from its front, a is to
// the left on the right-hand side of the road (sd = 1), to the right on the
// other.
func (s *scene) storeyed(sd float32, a, b vec3, h, length float32, d *facade) {
	up := vec3{0, h, 0}
	q := face{b, a, a.add(up), b.add(up)}
	if sd < 0 {
		q = face{a, b, b.add(up), a.add(up)}
	}
	if !s.visible(&q) {
		return
	}
	s.polygon(d.under(&s.light, q.normal()), 1, vertex{q[0], 0, 0}, vertex{q[1], length, 0},
		vertex{q[2], length, h}, vertex{q[3], 0, h})
}

// roof draws a pitched roof over a block; its gable faces the camera.
func (s *scene) roof(sd float32, a, b, ab, bb vec3, h float32) {
	rise := s.uni(1.8, 4)
	col := s.vary(s.paint(s.p.roofs), 0.15)
	out := a.sub(ab).unit().mul(0.4)
	a, b = a.add(vec3{0, h, 0}), b.add(vec3{0, h, 0})
	ra := a.lerp(ab.add(vec3{0, h, 0}), 0.5).add(vec3{0, rise, 0})
	rb := b.lerp(bb.add(vec3{0, h, 0}), 0.5).add(vec3{0, rise, 0})
	ea, eb := a.add(out), b.add(out)
	q := face{eb, ea, ra, rb}
	if sd < 0 {
		q = face{ea, eb, rb, ra}
	}
	n := q.normal()
	tiles := &ground{
		col: col.times(s.light.on(n)), label: building, n: s.n,
		grain: 0.3, stain: 0.3 * s.p.texture.stain, tile: 0.5, joint: 0.3,
	}
	length := sqrt(b.sub(a).dot(b.sub(a)))
	s.polygon(tiles, 1, vertex{q[0], 0, 0}, vertex{q[1], length, 0}, vertex{q[2], length, 5}, vertex{q[3], 0, 5})
	gable := ab.add(vec3{0, h, 0})
	dark := &solid{paint(0x9a9084).times(s.light.on(vec3{0, 0, -1})), building}
	s.polygon(dark, 1, vertex{p: a}, vertex{p: gable}, vertex{p: ra})
}

// house queues a building with its front at distance x.
func (s *scene) house(sd, x, z0, z1, h, deep float32) {
	d := s.style(h)
	seed := s.rnd.Uint64()
	s.add(max(z0, 0)+2, func() {
		s.reseed(seed)
		s.block(sd, x, z0, z1, h, deep, d)
		if d.seed&64 == 0 && h > 9 {
			s.balconies(sd, x, z0, z1, d)
		}
	})
}

// balconies draws slabs and railings that stand out of the facade.
func (s *scene) balconies(sd, x, z0, z1 float32, d *facade) {
	col := d.trim.mul(0.9)
	step := d.bay * 2
	for v := d.base; v < d.height-d.storey; v += d.storey {
		for u := step * 0.5; u < z1-z0-step*0.4; u += step {
			if z0+u < 1 {
				continue
			}
			f := s.place(sd*x, z0+u)
			out := float32(1.1)
			s.box(&f, min(0, -sd*out), v, -d.bay*0.4, max(0, -sd*out), v+0.95, d.bay*0.4, col, building)
		}
	}
}
