package streets

// stations are the distances at which strips of ground are split, so that
// they follow the bend of the road; nothing lies beyond the last.
var stations = [...]float32{-6, 3, 7, 11, 16, 22, 29, 38, 50, 65, 85, 110, 145, 190, 250, 330}

// strip draws ground between lateral positions x0 < x1 and distances z0 < z1.
func (s *scene) strip(sh shader, bias, x0, x1, y, z0, z1 float32) {
	a := z0
	for i := 0; a < z1 && i < len(stations); i++ {
		b := min(stations[i], z1)
		if b <= a {
			continue
		}
		p, q, r, t := s.point(x0, y, a), s.point(x1, y, a), s.point(x1, y, b), s.point(x0, y, b)
		s.polygon(sh, bias, vertex{p, x0, a}, vertex{q, x1, a}, vertex{r, x1, b})
		s.polygon(sh, bias, vertex{p, x0, a}, vertex{r, x1, b}, vertex{t, x0, b})
		a = b
	}
}

// kerbHeight is the step from the road to the pavement.
const kerbHeight = 0.13

// surface makes a ground texture lit from above.
func (s *scene) surface(col rgb, label uint8, grain, stain, tile, joint float32) *ground {
	t := &s.p.texture
	return &ground{
		col: col.times(s.light.on(vec3{0, 1, 0})), label: label, n: s.n,
		grain: grain * t.grain, stain: stain * t.stain, tile: tile, joint: joint * t.joint,
		offset: s.uni(0, 256),
	}
}

// paintGround draws road, pavements and everything flat.
func (s *scene) paintGround() {
	st := &s.st
	lawn := s.surface(s.vary(s.paint(s.p.grass), 0.15), terrain, 0.9, 0.5, 0, 0)
	asphalt := s.surface(s.vary(s.paint(s.p.asphalt), 0.12), road, 0.35, 0.3, 0, 0)
	asphalt.tracks = st.lane
	s.strip(lawn, 1, -150, -st.half, -0.03, -6, 330)
	s.strip(lawn, 1, st.half, 150, -0.03, -6, 330)
	s.strip(asphalt, 1, -st.half, st.half, 0, -6, 330)
	s.patches(asphalt)
	s.markings()
	if st.rails {
		s.tracks()
	}
	paving := s.paint(s.p.paving)
	tile := []float32{0, 0.4, 0.6, 1, 1.5}[s.rnd.IntN(5)]
	for i := range st.sides {
		sd := &st.sides[i]
		walk := s.surface(s.vary(paving, 0.08), sidewalk, 0.3, 0.25, tile, 0.3)
		z := float32(-6)
		for _, l := range sd.lots {
			if l.kind == opening {
				s.pavement(sd, walk, lawn, z, l.z0)
				s.sideStreet(sd, asphalt, l)
				z = l.z1
			}
		}
		s.pavement(sd, walk, lawn, z, 330)
	}
}

// pavement draws kerb, grass strip and pavement of one side.
func (s *scene) pavement(sd *side, walk, lawn *ground, z0, z1 float32) {
	if z1 <= z0 {
		return
	}
	st := &s.st
	kerb := s.surface(paint(0x9b9890), sidewalk, 0.2, 0.1, 1, 0.15)
	in, verge, out := st.half, st.half+0.18+sd.verge, st.front(sd)
	flat := func(sh shader, a, b, y float32) {
		if sd.sign < 0 {
			a, b = -b, -a
		}
		s.strip(sh, 1, a, b, y, z0, z1)
	}
	flat(kerb, in, in+0.18, kerbHeight)
	if sd.verge > 0 {
		flat(lawn, in+0.18, verge, kerbHeight)
	}
	flat(walk, verge, out+1.5, kerbHeight)
	s.kerbFace(sd, z0, z1)
}

// kerbFace draws the upright side of the kerb.
func (s *scene) kerbFace(sd *side, z0, z1 float32) {
	x := sd.sign * s.st.half
	col := paint(0x8a877f).times(s.light.on(vec3{-sd.sign, 0, 0}))
	sh := &solid{col, sidewalk}
	a := z0
	for _, b := range stations {
		b = min(b, z1)
		if b <= a {
			continue
		}
		s.polygon(sh, 1, vertex{p: s.point(x, -0.02, a)}, vertex{p: s.point(x, -0.02, b)},
			vertex{p: s.point(x, kerbHeight, b)}, vertex{p: s.point(x, kerbHeight, a)})
		a = b
	}
	if z0 > 0 { // the end of the pavement at a side street
		f := s.place(0, z0)
		s.polygon(sh, 1, vertex{p: f.at(x, 0, 0)}, vertex{p: f.at(sd.sign*s.st.front(sd), 0, 0)},
			vertex{p: f.at(sd.sign*s.st.front(sd), kerbHeight, 0)}, vertex{p: f.at(x, kerbHeight, 0)})
	}
}

// sideStreet draws the carriageway of a street that joins.
func (s *scene) sideStreet(sd *side, asphalt *ground, l lot) {
	a, b := s.st.half, s.st.half+90
	if sd.sign < 0 {
		a, b = -b, -a
	}
	s.strip(asphalt, 1.0005, a, b, 0.004, l.z0, l.z1)
	walk := s.surface(s.paint(s.p.paving), sidewalk, 0.3, 0.25, 0.6, 0.3)
	edge := s.st.front(sd)
	c, d := edge, edge+90
	if sd.sign < 0 {
		c, d = -d, -c
	}
	s.strip(walk, 1.001, c, d, kerbHeight, l.z1-1.8, l.z1)
	s.strip(walk, 1.001, c, d, kerbHeight, l.z0, l.z0+1.8)
}

// patches draws mended spots, manhole covers and seams of the asphalt.
func (s *scene) patches(asphalt *ground) {
	for range s.rnd.IntN(1 + int(6*s.p.texture.stain)) {
		p := *asphalt
		p.col = p.col.mul(s.uni(0.72, 1.2))
		x, z := s.uni(-s.st.half, s.st.half-1), s.uni(4, 40)
		s.strip(&p, 1.001, x, min(x+s.uni(0.5, 3), s.st.half), 0, z, z+s.uni(1, 9))
	}
	for range s.rnd.IntN(3) {
		o := s.place(s.uni(-s.st.half+1, s.st.half-1), s.uni(5, 25))
		s.disc(&solid{asphalt.col.mul(0.5), road}, 1.002, o.o, o.x.mul(0.35), o.z.mul(0.35))
	}
}

// worn is paint on the road: white with gaps where it has come off.
type worn struct {
	col  rgb
	n    *noises
	wear float32
}

func (s *worn) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		t := clamp(0.92-s.wear*(0.5+1.6*s.n.leaf.at(f.u*14, f.v*5)), 0, 1)
		c.put(f, c.col[f.i].mix(s.col, t), road)
	}
}

// markings draws lane lines, crossings, stop lines and arrows.
func (s *scene) markings() {
	st := &s.st
	white := &worn{paint(0xe6e6e0).times(s.light.on(vec3{0, 1, 0})), s.n, s.in(s.p.texture.wear)}
	middle := white
	if s.chance(s.p.yellowLines) {
		middle = &worn{paint(0xd9a520).times(s.light.on(vec3{0, 1, 0})), s.n, white.wear}
	}
	inner := st.half
	if st.park[0] || st.park[1] {
		inner -= parkingWidth
	}
	if s.chance(0.6) {
		s.strip(white, 1.002, -inner-0.08+0.2, -inner+0.24, 0, -6, 160)
		s.strip(white, 1.002, inner-0.24, inner-0.12, 0, -6, 160)
	}
	w := s.uni(0.06, 0.09)
	for i := 1; i < st.lanes; i++ {
		x := -float32(st.lanes)*st.lane/2 + float32(i)*st.lane
		switch {
		case 2*i == st.lanes && st.rails:
		case 2*i == st.lanes && s.chance(s.p.doubleLine):
			s.strip(middle, 1.002, x-0.2, x-0.2+2*w, 0, -6, 200)
			s.strip(middle, 1.002, x+0.2-2*w, x+0.2, 0, -6, 200)
		default:
			s.dashes(white, x, w)
		}
	}
	s.crossings(white)
}

// dashes draws a broken line at x of half width w.
func (s *scene) dashes(sh shader, x, w float32) {
	step := s.uni(6, 12)
	for z := s.uni(-6, 0); z < 110; z += step {
		s.strip(sh, 1.002, x-w, x+w, 0, z, z+step*0.4)
	}
}

// crossings draws zebra stripes or stop lines before side streets and
// sometimes elsewhere.
func (s *scene) crossings(sh shader) {
	st := &s.st
	at := func(z float32) {
		if s.chance(0.4) {
			s.strip(sh, 1.002, -st.half+0.3, st.half-0.3, 0, z-1.2, z-0.8)
			return
		}
		for x := -st.half + 0.4; x < st.half-0.6; x += 1 {
			s.strip(sh, 1.002, x, x+0.5, 0, z, z+3.2)
		}
	}
	if s.chance(0.2) {
		at(s.uni(6, 30))
	}
	for i := range st.sides {
		for _, l := range st.sides[i].lots {
			if l.kind == opening && l.z0 > 8 && s.chance(0.6) {
				at(l.z0 - 4.5)
				break
			}
		}
	}
}

// tracks draws the rails of the tram.
func (s *scene) tracks() {
	iron := &solid{paint(0x6a6660).times(s.light.on(vec3{0, 1, 0})), road}
	groove := &solid{paint(0x2c2a28).times(s.light.on(vec3{0, 1, 0})), road}
	for _, x := range []float32{-2.3, -0.87, 0.87, 2.3} {
		s.strip(groove, 1.002, x-0.1, x+0.1, 0, -6, 120)
		s.strip(iron, 1.003, x-0.05, x+0.05, 0, -6, 160)
	}
}
