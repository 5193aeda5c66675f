package streets

// spokes is the inside of a bicycle wheel: labelled, mostly see-through.
type spokes struct{ col rgb }

func (s *spokes) shade(c *canvas, fs []frag) {
	for k := range fs {
		f := &fs[k]
		c.put(f, c.col[f.i].mix(s.col, 0.3), bicycle)
	}
}

// ring draws the tyre of a bicycle in the plane of the frame's y and z.
func (s *scene) ring(f *frame, z, r float32, col rgb) {
	prev := f.at(0, r, z+r)
	for i := range unitCircle {
		c := unitCircle[(i+1)%len(unitCircle)]
		p := f.at(0, r+r*c[1], z+r*c[0])
		s.limb(prev, p, 0.028, 0.028, col, bicycle, false)
		prev = p
	}
}

// drawBicycle draws a bicycle with its front towards z.
func (s *scene) drawBicycle(f *frame, col rgb) {
	const r, base = 0.34, 0.53
	tyre := paint(inkTyre)
	tube := func(y0, z0, y1, z1 float32, c rgb) {
		s.limb(f.at(0, y0, z0), f.at(0, y1, z1), 0.026, 0.026, c, bicycle, false)
	}
	s.ring(f, -base, r, tyre)
	s.ring(f, base, r, tyre)
	tube(r, -base, 0.3, -0.05, col)
	tube(r, -base, 0.82, -0.2, col)
	tube(0.3, -0.05, 0.88, -0.22, col)
	tube(0.3, -0.05, 0.82, 0.34, col)
	tube(0.78, -0.18, 0.86, 0.32, col)
	tube(r, base, 0.98, 0.32, col)
	s.limb(f.at(-0.28, 1, 0.3), f.at(0.28, 1, 0.3), 0.022, 0.022, paint(0x303234), bicycle, false)
	s.limb(f.at(0, 0.92, -0.34), f.at(0, 0.93, -0.1), 0.06, 0.04, paint(0x202022), bicycle, true)
	s.ball(f.at(0, 0.3, -0.05), 0.09, 0.09, paint(0x404448), bicycle)
}

// wheelHoles queues the see-through insides of a bicycle's wheels.
func (s *scene) wheelHoles(f frame, z float32) {
	s.addGlass(z, func() {
		sh := &spokes{paint(0x9a9c9e).times(s.light.mean())}
		for _, c := range []float32{-0.53, 0.53} {
			s.disc(sh, 1, f.at(0, 0.34, c), f.z.mul(0.33), f.y.mul(0.33))
		}
	})
}

// bike places a bicycle, ridden or parked.
func (s *scene) bike(x, z, yaw float32, ridden bool) {
	f := s.place(x, z).turned(yaw)
	if abs(x) > s.st.half {
		f.o.y += kerbHeight
	}
	col := s.vary(s.paint(s.p.bikes), 0.2)
	look, helmeted := s.dress(), s.chance(0.4)
	helmet := s.paint([]uint32{0xe8e8e4, 0x202224, 0xc02020, 0x2050a0})
	pedal := s.uni(-0.14, 0.14)
	s.castBox(&f, -0.1, -0.85, 0.1, 0.85, 1.1)
	s.contactShadow(&f, -0.35, -0.95, 0.35, 0.95, 0.55)
	s.add(z, func() {
		s.drawBicycle(&f, col)
		if ridden {
			s.drawRider(&f, &look, &seat{
				hip: [2]float32{-0.22, 1.0}, shoulder: [2]float32{0.04, 1.5}, hand: [2]float32{0.3, 1.03},
				foot: [2][2]float32{{-0.05 + pedal, 0.3 + pedal}, {-0.05 - pedal, 0.3 - pedal}}, wide: 0.26,
			}, helmet, helmeted)
		}
	})
	s.wheelHoles(f, z)
}

// drawMotorcycle draws a motorcycle with its front towards z.
func (s *scene) drawMotorcycle(f *frame, col rgb, scooter bool) {
	const r, base = 0.33, 0.68
	m := s.light.mean()
	for _, z := range []float32{-base, base} {
		s.box(f, -0.075, 0.02, z-r*0.75, 0.075, 2*r-0.02, z+r*0.75, paint(inkTyre), motorcycle)
		for _, sd := range []float32{-0.08, 0.08} {
			s.disc(&solid{paint(inkTyre).times(m), motorcycle}, 1, f.at(sd, r, z), f.z.mul(r), f.y.mul(r))
			s.disc(&solid{paint(inkHub).times(m), motorcycle}, 1.003, f.at(sd*1.1, r, z), f.z.mul(r*0.55), f.y.mul(r*0.55))
		}
	}
	dark := paint(0x2a2c30)
	s.limb(f.at(0, r, base), f.at(0, 1.02, base-0.35), 0.075, 0.06, paint(0x8c9094), motorcycle, false)
	if scooter {
		s.box(f, -0.2, 0.28, -0.75, 0.2, 0.74, -0.1, col, motorcycle)
		s.box(f, -0.17, 0.2, -0.1, 0.17, 0.3, 0.35, dark, motorcycle)
		s.body(f, rect{-0.2, 0.3, 0.2, 0.4, 0.25}, rect{-0.16, 0.24, 0.16, 0.34, 1.0}, col, motorcycle)
	} else {
		s.box(f, -0.2, 0.2, -0.3, 0.2, 0.62, 0.3, dark, motorcycle)
		s.limb(f.at(0, 0.8, -0.05), f.at(0, 0.84, 0.38), 0.17, 0.15, col, motorcycle, true)
		s.limb(f.at(0.17, 0.35, -0.2), f.at(0.2, 0.42, -0.85), 0.06, 0.07, paint(0xb0b4b8), motorcycle, true)
	}
	s.body(f, rect{-0.14, -0.8, 0.14, 0, 0.66}, rect{-0.12, -0.85, 0.12, 0, 0.82}, dark, motorcycle)
	s.limb(f.at(-0.36, 1.06, base-0.4), f.at(0.36, 1.06, base-0.4), 0.03, 0.03, dark, motorcycle, false)
	s.ball(f.at(0, 0.92, base-0.22), 0.11, 0.11, paint(0xe8e8e0), motorcycle)
	s.ball(f.at(0, 0.72, -0.9), 0.07, 0.05, paint(0xb01414), motorcycle)
	for _, sd := range []float32{-0.34, 0.34} {
		s.ball(f.at(sd, 1.2, base-0.42), 0.06, 0.05, dark, motorcycle)
	}
}

// motorbike places a motorcycle, ridden or parked.
func (s *scene) motorbike(x, z, yaw float32, ridden bool) {
	f := s.place(x, z).turned(yaw)
	if abs(x) > s.st.half {
		f.o.y += kerbHeight
	}
	col, scooter := s.vary(s.paint(s.p.bikes), 0.2), s.chance(0.45)
	look := s.dress()
	helmet := s.paint([]uint32{0xe8e8e4, 0x18191a, 0xb01c1c, 0x1c3c90, 0x808488})
	s.castBox(&f, -0.25, -1, 0.25, 1, 1)
	s.contactShadow(&f, -0.5, -1.15, 0.5, 1.15, 0.7)
	s.add(z, func() {
		s.drawMotorcycle(&f, col, scooter)
		if ridden {
			s.drawRider(&f, &look, &seat{
				hip: [2]float32{-0.32, 0.9}, shoulder: [2]float32{-0.08, 1.4}, hand: [2]float32{0.26, 1.08},
				foot: [2][2]float32{{0, 0.32}, {0, 0.32}}, wide: 0.33,
			}, helmet, true)
		}
	})
}
