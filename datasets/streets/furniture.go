package streets

var poleColors = []uint32{0x6e7276, 0x8b8f90, 0x4c5052, 0x3d4a42, 0x9a9c9a}

// lamp queues a street light on the given side that reaches over the road.
func (s *scene) lamp(sd, x, z float32) {
	f := s.place(sd*x, z)
	h := s.uni(5.5, 9)
	reach := s.uni(0.8, 2.4)
	col := s.paint(poleColors)
	old := s.chance(0.25)
	s.add(z, func() {
		s.limb(f.at(0, 0, 0), f.at(0, h, 0), 0.11, 0.075, col, pole, false)
		s.limb(f.at(0, 0, 0), f.at(0, 0.9, 0), 0.16, 0.14, col, pole, false)
		if old {
			s.ball(f.at(0, h, 0), 0.26, 0.3, paint(0xd9d6c8), pole)
			return
		}
		s.limb(f.at(0, h, 0), f.at(-sd*reach, h+0.35, 0), 0.07, 0.055, col, pole, false)
		s.box(&f, min(-sd*reach, -sd*(reach+0.7)), h+0.25, -0.15, max(-sd*reach, -sd*(reach+0.7)), h+0.42, 0.15, col, pole)
	})
}

// post queues a plain pole: bollard, catenary mast or telegraph pole.
func (s *scene) post(x, z, h, r float32) {
	f := s.place(x, z)
	col := s.paint(poleColors)
	s.add(z, func() { s.limb(f.at(0, 0, 0), f.at(0, h, 0), r, r*0.8, col, pole, true) })
}

// plates are the kinds of traffic signs.
const (
	warning = iota
	prohibition
	mandatory
	priority
	stop
	board
	numPlates
)

// sign queues a traffic sign on its post.
func (s *scene) sign(x, z float32) {
	f := s.place(x, z).turned(s.uni(-0.25, 0.25))
	h := s.uni(2.1, 3)
	r := s.uni(0.34, 0.5)
	kind := s.rnd.IntN(numPlates)
	second := s.chance(0.35)
	col := s.paint(poleColors)
	seed := s.rnd.Uint64()
	s.add(z, func() {
		s.reseed(seed)
		s.limb(f.at(0, 0, 0), f.at(0, h+r, 0), 0.05, 0.05, col, pole, false)
		p := f.moved(0, h, -0.08)
		s.plate(&p, kind, r)
		if second {
			p = f.moved(0, h-r*2.1, -0.08)
			s.plate(&p, s.rnd.IntN(numPlates), r*0.9)
		}
	})
}

// plate draws the face of a sign of half size r around the frame's origin.
func (s *scene) plate(f *frame, kind int, r float32) {
	q := s.light.on(f.z.mul(-1)).mul(1.05)
	white, red, blue := paint(0xeeeeea).times(q), paint(0xc01822).times(q), paint(0x1450a8).times(q)
	yellow, black := paint(0xf2b90c).times(q), paint(0x181818).times(q)
	p := sheet{s, f.o, f.x.mul(r), f.y.mul(r)}
	switch kind {
	case warning:
		p.wedge(red, 1.1, 1.004)
		p.wedge(white, 0.68, 1.008)
		p.bar(black, 0.08, 0.22, 1.01)
	case prohibition:
		p.disc(red, 1, 1.004)
		p.disc(white, 0.7, 1.008)
		p.bar(black, 0.3, 0.2, 1.01)
	case mandatory:
		p.disc(blue, 1, 1.004)
		p.bar(white, 0.14, 0.5, 1.008)
	case priority:
		p.rhomb(white, 1.1, 1.004)
		p.rhomb(yellow, 0.8, 1.008)
	case stop:
		p.disc(white, 1.02, 1.004)
		p.disc(red, 0.93, 1.006)
		p.bar(white, 0.62, 0.15, 1.01)
	case board:
		p.bar(white, 1.05, 1.05, 1.004)
		p.bar(blue, 0.96, 0.96, 1.006)
		p.bar(white, 0.35, 0.5, 1.01)
	}
}

// sheet is the plane of a sign: its middle and its axes, of the length of half
// the sign.
type sheet struct {
	s      *scene
	o      vec3
	ax, ay vec3
}

// shape draws a polygon given by pairs of coordinates on the sheet.
func (p *sheet) shape(c rgb, bias float32, xy ...float32) {
	var vs [4]vertex
	for i := 0; i+1 < len(xy); i += 2 {
		vs[i/2].p = p.o.add(p.ax.mul(xy[i])).add(p.ay.mul(xy[i+1]))
	}
	p.s.polygon(&solid{c, trafficSign}, bias, vs[:len(xy)/2]...)
}

func (p *sheet) disc(c rgb, t, bias float32) {
	p.s.disc(&solid{c, trafficSign}, bias, p.o, p.ax.mul(t), p.ay.mul(t))
}

func (p *sheet) bar(c rgb, w, h, bias float32) { p.shape(c, bias, -w, -h, w, -h, w, h, -w, h) }
func (p *sheet) rhomb(c rgb, t, bias float32)  { p.shape(c, bias, 0, -t, t, 0, 0, t, -t, 0) }
func (p *sheet) wedge(c rgb, t, bias float32) {
	p.shape(c, bias, -t, -0.62*t, t, -0.62*t, 0, 1.1*t)
}

// guide queues a large direction board on two posts.
func (s *scene) guide(x, z float32) {
	f := s.place(x, z)
	w, h, y := s.uni(1.2, 2.2), s.uni(0.7, 1.2), s.uni(2.4, 3.2)
	bg := s.paint(s.p.guides)
	s.add(z, func() {
		q := s.light.on(f.z.mul(-1))
		for _, px := range []float32{-w * 0.7, w * 0.7} {
			s.limb(f.at(px, 0, 0), f.at(px, y+2*h, 0), 0.07, 0.07, paint(0x7c8082), pole, false)
		}
		b := face{f.at(-w, y, -0.1), f.at(w, y, -0.1), f.at(w, y+2*h, -0.1), f.at(-w, y+2*h, -0.1)}
		white := paint(0xeeeeea).times(q)
		s.decal(b, white, trafficSign)
		s.panelFace(b.inset(0.03, 0.05, 0.97, 0.95), bg.times(q), bg.times(q), trafficSign, 1.006)
		for i := range 3 {
			v := 0.2 + 0.24*float32(i)
			s.panelFace(b.inset(0.12, v, 0.75-0.1*float32(i), v+0.1), white, white, trafficSign, 1.008)
		}
	})
}

// signal queues a traffic light at the kerb of the given side; with an arm a
// second head hangs over the road.
func (s *scene) signal(sd, x, z float32, arm bool) {
	f := s.place(sd*x, z)
	state := s.rnd.IntN(3)
	col := s.paint(poleColors)
	reach := s.uni(3, 5)
	size := s.uni(1, 1.25)
	s.add(z, func() {
		h := float32(3.3)
		if arm {
			h = 5.8
			s.limb(f.at(0, h, 0), f.at(-sd*reach, h+0.2, 0), 0.09, 0.06, col, pole, false)
			g := f.moved(-sd*reach, h-0.3, -0.1)
			s.head(&g, state, size*1.1)
		}
		s.limb(f.at(0, 0, 0), f.at(0, h, 0), 0.1, 0.08, col, pole, false)
		g := f.moved(-sd*0.12, 2.75, -0.2)
		s.head(&g, state, size)
	})
}

// head draws the housing of a traffic light with one of three lamps on,
// centred on the frame.
func (s *scene) head(f *frame, state int, size float32) {
	w, h := 0.19*size, 0.52*size
	s.box(f, -w, -h, -0.12, w, h, 0.12, paint(0x23262a), trafficLight)
	lamps := [3]uint32{0xff2a18, 0xffb010, 0x20e070}
	for i, hex := range lamps {
		c := paint(0x14181a)
		if i == state {
			c = paint(hex).mul(1.6)
		}
		y := h * (0.64 - 0.64*float32(i))
		s.disc(&solid{c, trafficLight}, 1.004, f.at(0, y, -0.125), f.x.mul(w*0.72), f.y.mul(w*0.72))
	}
}

// railings queues a fence along the road between z0 and z1.
func (s *scene) railings(x, z0, z1 float32) {
	style := s.rnd.IntN(3)
	r := railing{
		height: s.uni(1, 1.5), pitch: 0.16, bar: 0.05, rail: 0.07, post: 2.4,
		col: s.paint([]uint32{0x2c3430, 0x5c6468, 0x8f9492, 0xd8d6d0, 0x5a4632}),
	}
	switch style {
	case 1: // wire mesh
		r.diamond, r.pitch, r.bar, r.rail, r.height = true, 0.14, 0.022, 0.05, s.uni(1.6, 2.4)
	case 2: // wooden pickets
		r.pitch, r.bar, r.col = 0.15, 0.1, s.paint([]uint32{0x8a6f50, 0xa08468, 0xdedad0, 0x6b5540})
	}
	for z := max(z0, -3); z < z1; z += 4 {
		e := min(z+4, z1)
		a, b := s.point(x, 0, z), s.point(x, 0, e)
		u := z - z0
		s.addGlass((z+e)/2, func() {
			sh := r
			sh.col = r.col.times(s.light.mean())
			up := vec3{0, r.height, 0}
			s.polygon(&sh, 1, vertex{a, u, 0}, vertex{b, u + e - z, 0}, vertex{b.add(up), u + e - z, r.height}, vertex{a.add(up), u, r.height})
		})
	}
}

// barrier queues a free-standing wall along the road between z0 and z1.
func (s *scene) barrier(sd, x, z0, z1, h float32) {
	m := masonry{n: s.n, height: h, amp: 0.5 * s.p.texture.stain, bw: 0.26, bh: 0.09}
	m.col = s.vary(s.paint(s.p.walls), 0.12)
	if s.chance(0.55) { // concrete panels
		m.bw, m.bh = s.uni(1.5, 3), s.uni(0.5, 1.4)
		m.col = s.vary(s.paint([]uint32{0x9c978c, 0x8b8982, 0xaaa498, 0xb8b2a0}), 0.1)
	}
	for z := max(z0, -3); z < z1; z += 6 {
		e := min(z+6, z1)
		s.add(z, func() {
			f, g := s.place(sd*x, z), s.place(sd*x, e)
			sh := m
			l := s.light.on(vec3{-sd, 0, -0.2}.unit())
			sh.col = m.col.times(l)
			sh.gap = sh.col.mul(0.72)
			s.polygon(&sh, 1, vertex{f.at(0, -0.2, 0), z, 0}, vertex{g.at(0, -0.2, 0), e, 0}, vertex{g.at(0, h, 0), e, h}, vertex{f.at(0, h, 0), z, h})
			s.box(&f, min(0, sd*0.3), 0, 0, max(0, sd*0.3), h, 0.1, m.col, wall)
		})
	}
}
