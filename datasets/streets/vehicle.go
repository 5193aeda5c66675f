package streets

// Ink colours of vehicle parts before lighting.
const (
	inkTyre   = 0x17181a
	inkHub    = 0x8a8d90
	inkGlass  = 0x1a2024
	inkBumper = 0x2a2c2e
)

// pane draws a window over part of a face: dark, brighter upwards where it
// mirrors the sky.
func (s *scene) pane(q face, x0, y0, x1, y1 float32, label uint8) {
	g := paint(inkGlass).times(s.light.mean())
	s.panelFace(q.inset(x0, y0, x1, y1), g.mix(s.light.rim, 0.04), g.mix(s.light.rim, 0.2), label, 1.004)
}

// mark draws a coloured part over a face.
func (s *scene) mark(q face, x0, y0, x1, y1 float32, hex uint32, label uint8) {
	s.lit(q.inset(x0, y0, x1, y1), paint(hex), label, 1.006)
}

// wheels draws pairs of wheels at the given distances from the frame's origin.
func (s *scene) wheels(f *frame, half, r float32, label uint8, zs ...float32) {
	m := s.light.mean()
	tyre := paint(inkTyre).times(m)
	hub := paint(inkHub).times(m)
	for _, z := range zs {
		for _, sd := range []float32{-1, 1} {
			x := sd * half
			s.box(f, min(x, x-sd*0.22), 0, z-r*0.8, max(x, x-sd*0.22), r*1.6, z+r*0.8, paint(inkTyre), label)
			o := f.at(x+sd*0.015, r, z)
			if f.x.mul(sd).dot(s.cam.pos.sub(o)) <= 0 {
				continue
			}
			s.disc(&solid{tyre, label}, 1.003, o, f.z.mul(r), f.y.mul(r))
			s.disc(&solid{hub, label}, 1.006, o, f.z.mul(r*0.62), f.y.mul(r*0.62))
			s.disc(&solid{hub.mul(0.4), label}, 1.008, o, f.z.mul(r*0.25), f.y.mul(r*0.25))
		}
	}
}

// carShape is the side view of a car model: metres.
type carShape struct {
	long, wide, high float32
	hood             float32 // height of the bonnet
	cab0, cab1       float32 // cabin's foot from the middle: rear, front
	rake0, rake1     float32 // how far its roof is drawn in
}

var carShapes = []carShape{
	{3.9, 1.70, 1.48, 0.92, -1.85, 1.05, 0.30, 0.75}, // hatchback
	{4.6, 1.80, 1.44, 0.90, -1.60, 1.05, 0.65, 0.80}, // saloon
	{4.7, 1.80, 1.48, 0.92, -2.25, 1.05, 0.45, 0.80}, // estate
	{4.6, 1.88, 1.75, 1.05, -2.15, 1.15, 0.30, 0.65}, // off-road
	{5.1, 1.95, 2.15, 1.15, -2.50, 1.85, 0.12, 0.70}, // van
	{4.4, 1.78, 1.26, 0.82, -1.45, 0.70, 0.85, 0.75}, // coupé
}

// drawCar draws a car standing in the frame with its front towards z.
func (s *scene) drawCar(f *frame, k *carShape, col rgb) {
	w, l := k.wide/2, k.long/2
	sill := float32(0.22)
	waist := k.hood * 0.68
	low := s.body(f, rect{-w, -l + 0.1, w, l - 0.1, sill}, rect{-w, -l, w, l, waist * 0.8}, col.mul(0.9), car)
	up := s.body(f, rect{-w, -l, w, l, waist * 0.8}, rect{-w + 0.06, -l + 0.06, w - 0.06, l - 0.18, k.hood}, col, car)
	roof := rect{-w + 0.2, k.cab0 + k.rake0, w - 0.2, k.cab1 - k.rake1, k.high}
	cab := s.body(f, rect{-w + 0.05, k.cab0, w - 0.05, k.cab1, k.hood - 0.02}, roof, col, car)
	s.pane(cab[back], 0.08, 0.16, 0.92, 0.86, car)
	s.pane(cab[front], 0.05, 0.08, 0.95, 0.92, car)
	for _, q := range []face{cab[left], cab[right]} {
		s.pane(q, 0.08, 0.12, 0.47, 0.86, car)
		s.pane(q, 0.51, 0.12, 0.9, 0.86, car)
	}
	for _, q := range []face{low[back], low[front]} {
		s.mark(q, 0.02, 0, 0.98, 0.3, inkBumper, car)
	}
	s.mark(low[back], 0.36, 0.5, 0.64, 0.85, 0xdcdcd4, car)
	s.mark(low[front], 0.36, 0.3, 0.64, 0.6, 0xdcdcd4, car)
	s.mark(up[front], 0.25, 0.1, 0.75, 0.5, 0x202224, car)
	s.mark(up[back], 0.0, 0.35, 0.13, 0.85, 0xb81418, car)
	s.mark(up[back], 0.87, 0.35, 1, 0.85, 0xb81418, car)
	s.mark(up[front], 0.01, 0.1, 0.2, 0.7, 0xf0f0e8, car)
	s.mark(up[front], 0.8, 0.1, 0.99, 0.7, 0xf0f0e8, car)
	for _, q := range []face{low[left], low[right]} {
		s.mark(q, 0.18, 0, 0.82, 0.22, inkBumper, car)
	}
	s.wheels(f, w, 0.33, car, -l*0.62, l*0.62)
	for _, sd := range []float32{-1, 1} {
		m := f.moved(sd*(w+0.06), k.hood, k.cab1-0.45)
		s.box(&m, -0.08, 0, -0.05, 0.08, 0.14, 0.05, col, car)
	}
}

// footprint casts the shadows of a vehicle; part of the ground pass.
func (s *scene) footprint(f *frame, w, l, h float32) {
	s.castBox(f, -w, -l, w, l, h)
	s.contactShadow(f, -w*1.25, -l*1.1, w*1.25, l*1.1, 0.75)
}

// parkCar places a car with its middle at (x, z), turned by yaw.
func (s *scene) parkCar(x, z, yaw float32) {
	k := &carShapes[s.weighted(s.p.cars)]
	f := s.place(x, z).turned(yaw)
	col := s.vary(s.paint(s.p.carPaint), 0.15)
	s.footprint(&f, k.wide/2, k.long/2, k.high*0.85)
	s.add(z-k.long/2, func() { s.drawCar(&f, k, col) })
}

// coach places a bus.
func (s *scene) coach(x, z, yaw float32) {
	f := s.place(x, z).turned(yaw)
	l, h := s.uni(5.2, 6.2), s.uni(2.9, 3.2)
	if s.chance(s.p.doubleDeck) {
		h = 4.2
	}
	col, stripe := s.paint(s.p.liveries), s.rnd.IntN(3)
	s.footprint(&f, 1.27, l, h)
	s.add(z-l, func() {
		qs := s.box(&f, -1.27, 0.3, -l, 1.27, h, l, col, bus)
		for _, q := range []face{qs[left], qs[right]} {
			s.bandOfWindows(q, 1.2/h, 2.25/h, 8, bus)
			if h > 4 {
				s.bandOfWindows(q, 2.75/h, 3.7/h, 8, bus)
			}
			s.mark(q, 0.01, 0.0, 0.99, 0.06, inkBumper, bus)
			if stripe == 0 {
				s.mark(q, 0, 0.14, 1, 0.22, 0xe8e8e4, bus)
			}
		}
		s.pane(qs[front], 0.05, 0.3, 0.95, 0.8, bus)
		s.mark(qs[front], 0.2, 0.84, 0.8, 0.95, 0x18180f, bus)
		s.mark(qs[front], 0.3, 0.87, 0.62, 0.92, 0xffa81e, bus)
		s.mark(qs[front], 0.03, 0.08, 0.17, 0.16, 0xf4f4ec, bus)
		s.mark(qs[front], 0.83, 0.08, 0.97, 0.16, 0xf4f4ec, bus)
		s.pane(qs[back], 0.12, 0.5, 0.88, 0.82, bus)
		s.mark(qs[back], 0.02, 0.1, 0.12, 0.35, 0xa81010, bus)
		s.mark(qs[back], 0.88, 0.1, 0.98, 0.35, 0xa81010, bus)
		s.mark(qs[back], 0.2, 0.08, 0.8, 0.36, 0x303234, bus)
		s.wheels(&f, 1.27, 0.48, bus, -l*0.55, l*0.58)
	})
}

// bandOfWindows draws a row of panes along a face between two fractions of
// its height.
func (s *scene) bandOfWindows(q face, y0, y1 float32, n int, label uint8) {
	for i := range n {
		a, b := (float32(i)+0.06)/float32(n), (float32(i)+0.94)/float32(n)
		s.pane(q, 0.02+0.96*a, y0, 0.02+0.96*b, y1, label)
	}
}

// lorry places a truck: a cab in front of a box, a tarpaulin or a tank.
func (s *scene) lorry(x, z, yaw float32) {
	f := s.place(x, z).turned(yaw)
	l, h := s.uni(3.3, 5.5), s.uni(2.9, 3.7)
	load, cab := s.paint(s.p.loads), s.paint(s.p.liveries)
	tank := s.chance(0.15)
	s.footprint(&f, 1.25, l, h)
	s.add(z-l, func() {
		c := f.moved(0, 0, l-0.95)
		qs := s.body(&c, rect{-1.2, -0.95, 1.2, 0.95, 0.45}, rect{-1.15, -0.95, 1.15, 0.75, min(2.7, h-0.3)}, cab, truck)
		s.pane(qs[front], 0.05, 0.48, 0.95, 0.86, truck)
		s.pane(qs[left], 0.12, 0.5, 0.6, 0.85, truck)
		s.pane(qs[right], 0.4, 0.5, 0.88, 0.85, truck)
		s.mark(qs[front], 0.1, 0.16, 0.9, 0.4, 0x1d1f20, truck)
		s.mark(qs[front], 0.01, 0.03, 0.2, 0.13, 0xf4f4ec, truck)
		s.mark(qs[front], 0.8, 0.03, 0.99, 0.13, 0xf4f4ec, truck)
		s.box(&f, -1, 0.45, -l, 1, 0.95, l-1.9, paint(0x26282a), truck)
		if tank {
			s.limb(f.at(0, 1.95, -l), f.at(0, 1.95, l-2.1), 1.15, 1.15, load, truck, true)
		} else {
			b := s.box(&f, -1.25, 0.95, -l, 1.25, h, l-2.05, load, truck)
			s.mark(b[back], 0.48, 0.04, 0.52, 0.96, 0x8a8a86, truck)
			s.mark(b[left], 0.3, 0.4, 0.75, 0.7, 0x3a5f8a, truck)
			s.mark(b[right], 0.3, 0.4, 0.75, 0.7, 0x3a5f8a, truck)
		}
		r := s.box(&f, -1.2, 0.55, -l-0.05, 1.2, 0.85, -l, paint(0x34363a), truck)
		s.mark(r[back], 0, 0.1, 0.14, 0.9, 0xb01012, truck)
		s.mark(r[back], 0.86, 0.1, 1, 0.9, 0xb01012, truck)
		s.wheels(&f, 1.22, 0.5, truck, -l*0.72, -l*0.4, l*0.62)
	})
}

// tram places a tram of several cars on the track at x.
func (s *scene) tram(x, z float32, oncoming bool) {
	cars := 2 + s.rnd.IntN(3)
	col, stripe := s.paint(s.p.trams), s.paint(s.p.liveries)
	const long, half = 7.6, 1.2
	for i := range cars {
		zc := z + long*float32(i)
		f := s.place(x, zc)
		if oncoming {
			f = f.turned(3.1415927)
		}
		head := i == 0
		s.footprint(&f, half, long/2, 3.3)
		s.add(zc-long/2, func() { s.tramCar(&f, half, long/2-0.25, col, stripe, head, oncoming) })
	}
}

// tramCar draws one car of a tram.
func (s *scene) tramCar(f *frame, w, l float32, col, stripe rgb, head, oncoming bool) {
	s.box(f, -w+0.15, 0.05, -l+0.4, w-0.15, 0.4, l-0.4, paint(0x202224), train)
	if !head { // the bellows towards the car in front
		s.box(f, -w+0.2, 0.5, -l-0.5, w-0.2, 3, l+0.5, paint(0x303234), train)
	}
	b, t := rect{-w, -l, w, l, 0.35}, rect{-w + 0.08, -l, w - 0.08, l, 3.3}
	if head && oncoming {
		t.z1 -= 0.7
	} else if head {
		t.z0 += 0.7
	}
	qs := s.body(f, b, t, col, train)
	for _, q := range []face{qs[left], qs[right]} {
		s.bandOfWindows(q, 0.36, 0.72, 5, train)
		s.lit(q.inset(0, 0.08, 1, 0.26), stripe, train, 1.004)
		s.mark(q, 0.4, 0.05, 0.6, 0.75, 0x23282c, train)
	}
	for _, q := range []face{qs[front], qs[back]} {
		s.pane(q, 0.06, 0.36, 0.94, 0.82, train)
		s.lit(q.inset(0, 0.05, 1, 0.28), stripe, train, 1.004)
		s.mark(q, 0.25, 0.86, 0.75, 0.96, 0xd89018, train)
		s.mark(q, 0.05, 0.12, 0.18, 0.22, 0xf4f4ec, train)
		s.mark(q, 0.82, 0.12, 0.95, 0.22, 0xf4f4ec, train)
	}
	if head {
		s.limb(f.at(-0.5, 3.3, 0), f.at(0, 4.2, 0.8), 0.04, 0.04, paint(0x303234), train, false)
		s.limb(f.at(0, 4.2, 0.8), f.at(0, 5, 0), 0.04, 0.04, paint(0x303234), train, false)
		s.limb(f.at(-0.8, 5, 0), f.at(0.8, 5, 0), 0.05, 0.05, paint(0x303234), train, false)
	}
}
