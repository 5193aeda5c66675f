package streets

// The kinds of lots along a street.
const (
	houses  = iota // buildings at the pavement
	yard           // a garden behind fence, hedge or wall, with a house
	park           // grass and trees
	walled         // a wall with trees or buildings behind
	opening        // a side street
	numLots
)

// lot is a stretch of one side of the street between distances z0 and z1.
type lot struct {
	kind   int
	z0, z1 float32
}

// parkingWidth is the width of a parking lane in metres.
const parkingWidth = 2.2

// farEnd is where the modelled street ends and the backdrop stands.
const farEnd = 170

// plan draws the street's cross-section and its lots.
func (s *scene) plan() {
	k, st := s.kind, &s.st
	st.curve = s.uni(-1, 1) * s.uni(0, 0.0035)
	st.slope = s.uni(-1, 1) * s.uni(0, 0.0006)
	st.lanes = k.lanes[s.rnd.IntN(len(k.lanes))]
	st.lane = s.uni(3, 3.6)
	st.rails = s.chance(k.transport)
	st.half = float32(st.lanes) * st.lane / 2
	for i := range st.park {
		st.park[i] = s.chance(k.parking)
	}
	if st.park[0] || st.park[1] {
		st.half += parkingWidth
	}
	for i := range st.sides {
		sd := &st.sides[i]
		sd.sign = float32(2*i - 1)
		sd.walk = s.in(k.walk)
		if s.chance(k.verge) {
			sd.verge = s.uni(1, 3.5)
		}
		s.parcel(sd)
	}
}

// parcel divides one side into lots; two side streets never touch.
func (s *scene) parcel(sd *side) {
	w := s.kind.lots
	last := -1
	for z := s.uni(-14, -2); z < farEnd; {
		k := s.weighted(w[:])
		if k == opening && (last == opening || last == -1) {
			k = houses
		}
		long := s.uni(12, 30)
		if k == opening {
			long = s.uni(8, 13)
		}
		sd.lots = append(sd.lots, lot{k, z, z + long})
		z += long
		last = k
	}
}

// build queues everything that stands on the ground.
func (s *scene) build() {
	for i := range s.st.sides {
		sd := &s.st.sides[i]
		for _, l := range sd.lots {
			s.fillLot(sd, l)
		}
		s.furnish(sd)
	}
	s.backdrop()
	s.park()
	s.drive()
	s.populate()
}

// fillLot queues what stands on a lot.
func (s *scene) fillLot(sd *side, l lot) {
	x := s.st.front(sd)
	switch l.kind {
	case houses:
		for z := l.z0; z < l.z1-3; {
			e := min(z+s.uni(9, 20), l.z1)
			if l.z1-e < 6 {
				e = l.z1
			}
			h := s.in(s.kind.height)
			s.castLong(sd.sign, x, z, e, h)
			s.house(sd.sign, x, z, e, h, 13)
			z = e
		}
	case yard:
		s.edge(sd.sign, x+0.2, l)
		h := s.uni(5, 9)
		s.house(sd.sign, x+s.uni(5, 9), l.z0+2, l.z1-2, h, 10)
		s.garden(sd.sign, x, l, 0.45)
	case park:
		if s.chance(0.35) {
			s.edge(sd.sign, x+0.2, l)
		}
		s.garden(sd.sign, x, l, 1)
		s.wood(sd.sign, x+16, l)
	case walled:
		h := s.uni(1.2, 3.2)
		s.castLong(sd.sign, x, l.z0, l.z1, h)
		s.barrier(sd.sign, x, l.z0, l.z1, h)
		if s.chance(0.5) {
			s.wood(sd.sign, x+4, l)
		} else {
			s.house(sd.sign, x+7, l.z0, l.z1, s.in(s.kind.height), 12)
		}
	case opening:
		s.cross(sd.sign, x, l)
	}
}

// castLong casts the shadow of a front along the street.
func (s *scene) castLong(sd, x, z0, z1, h float32) {
	f := s.place(sd*x, (z0+z1)/2)
	half := (z1 - z0) / 2
	s.castBox(&f, min(0, sd*10), -half, max(0, sd*10), half, h)
}

// edge bounds a garden towards the pavement.
func (s *scene) edge(sd, x float32, l lot) {
	switch s.weighted([]float32{4, 2.4, 1.6}) {
	case 0:
		s.railings(sd*x, l.z0, l.z1)
	case 1:
		s.hedge(sd*(x+0.5), l.z0, l.z1, s.uni(0.9, 1.7))
	case 2:
		s.barrier(sd, x, l.z0, l.z1, s.uni(0.8, 1.5))
	}
}

// garden scatters trees and bushes over a lot.
func (s *scene) garden(sd, x float32, l lot, density float32) {
	for z := max(l.z0, 0) + 2; z < l.z1; z += s.uni(3.5, 8) / density {
		s.tree(sd*(x+s.uni(2.5, 10)), z, s.uni(4.5, 11))
		if s.chance(0.6) {
			s.bush(sd*(x+s.uni(1.2, 5)), z+s.uni(-2, 2), s.uni(0.5, 1.1))
		}
	}
}

// wood closes the view behind a lot with trees.
func (s *scene) wood(sd, x float32, l lot) {
	for z := max(l.z0, 1) + 1; z < l.z1; z += s.uni(4, 6.5) {
		s.tree(sd*(x+s.uni(0, 5)), z, s.uni(8, 14))
		s.bush(sd*(x+s.uni(-1, 1)), z+2, s.uni(1.3, 2.4))
	}
}

// cross builds the corner of a side street: its far row of houses is part of
// the next lots, its end is closed here.
func (s *scene) cross(sd, x float32, l lot) {
	h := s.in(s.kind.height)
	d := s.style(h)
	far := x + s.uni(45, 70)
	s.add(l.z1+far*0.5, func() { s.block(sd, far, l.z0-12, l.z1+12, h, 10, d) })
	for _, q := range []float32{l.z0 - 14, l.z1} { // second houses along the side street
		if q < 2 {
			continue
		}
		s.house(sd, x+13, q, q+14, s.in(s.kind.height), 26)
	}
	if s.chance(0.4) && l.z1 > 6 { // a car waiting in the mouth
		s.parkCar(sd*(x+s.uni(1, 9)), (l.z0+l.z1)/2+1.7*sd, -sd*1.5708)
	}
}

// backdrop closes the street: houses and trees at its end.
func (s *scene) backdrop() {
	for x := float32(-75); x < 75; {
		w := s.uni(12, 26)
		h := s.in(s.kind.height) * 0.9
		if s.chance(0.5) {
			d := s.style(h)
			x0, z := x, farEnd+s.uni(0, 14)
			s.add(z, func() {
				a, b := s.point(x0, 0, z), s.point(x0+w, 0, z)
				s.storeyed(-1, a, b, h, w, d)
			})
		} else {
			s.thicket(x, x+w, farEnd-4, s.uni(9, 16))
		}
		x += w
	}
}

// furnish queues poles, lights, signs and street trees of one side.
func (s *scene) furnish(sd *side) {
	st := &s.st
	kerb := st.half + 0.6
	off := s.uni(4, 16)
	if s.chance(0.9) {
		step := s.in(s.p.lampStep)
		for z := off; z < 120; z += step {
			s.lamp(sd.sign, kerb, z)
		}
	}
	if st.rails && s.chance(0.8) {
		for z := off + 7; z < 110; z += 28 {
			s.post(sd.sign*(kerb+0.2), z, 7, 0.12)
		}
	}
	for range s.count(s.p.signs100 * 0.5) {
		s.sign(sd.sign*(kerb+s.uni(0, 0.5)), 5+45*s.rnd.Float32()*s.rnd.Float32()+s.uni(0, 8))
	}
	if s.chance(0.16) {
		s.guide(sd.sign*(kerb+2), s.uni(14, 45))
	}
	if s.chance(0.22) {
		x := sd.sign * (st.half + 0.35)
		for z := s.uni(3, 10); z < 30; z += 2.2 {
			s.post(x, z, 1, 0.08)
		}
	}
	if s.chance(s.kind.trees) {
		h, step := s.uni(5, 10), s.uni(7, 14)
		for z := off + 3; z < 130; z += step {
			s.tree(sd.sign*(st.half+0.9+sd.verge*0.4), z, h*s.uni(0.85, 1.15))
		}
	}
	s.signals(sd, kerb)
	if sd.verge > 0 && s.chance(0.1) {
		s.railings(sd.sign*(st.half+0.4), s.uni(-3, 8), s.uni(14, 45))
	}
}

// signals queues traffic lights before side streets.
func (s *scene) signals(sd *side, kerb float32) {
	arm := s.chance(0.5)
	for _, l := range sd.lots {
		if l.kind == opening && l.z0 > 6 && l.z0 < 80 && s.chance(0.75) {
			s.signal(sd.sign, kerb, l.z0-1, arm)
			s.signal(-sd.sign, s.st.half+0.6, l.z0-1, arm && s.chance(0.5))
		}
	}
	if s.chance(0.12) { // at a pedestrian crossing
		s.signal(sd.sign, kerb, s.uni(8, 28), arm)
	}
}

// count draws an integer with the given mean.
func (s *scene) count(mean float32) int {
	n := int(mean * 2 * s.rnd.Float32())
	if s.chance(mean - float32(int(mean))) {
		n++
	}
	return n
}
