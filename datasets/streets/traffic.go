package streets

// park fills the parking lanes.
func (s *scene) park() {
	st := &s.st
	for i, sd := range []float32{-1, 1} {
		if !st.park[i] {
			continue
		}
		x := sd * (st.half - 1.05)
		yaw := float32(0)
		if sd < 0 {
			yaw = 3.1415927
		}
		taken := s.p.parked * s.uni(0.5, 1.3)
		for z := s.uni(-1, 6); z < 90; z += s.uni(5.6, 6.6) {
			switch {
			case !s.chance(taken) || s.atCrossing(i, z):
			case s.chance(0.05):
				s.motorbike(x+sd*0.3, z, sd*s.uni(0.6, 1.5), false)
				s.motorbike(x+sd*0.3, z+1.4, sd*s.uni(0.6, 1.5), false)
			case s.chance(0.02):
				s.lorry(x, z+2, yaw)
				z += 4
			default:
				s.parkCar(x+s.uni(-0.15, 0.1), z, yaw+s.uni(-0.03, 0.03))
			}
		}
	}
}

// atCrossing tells whether the kerb of a side is interrupted near z.
func (s *scene) atCrossing(i int, z float32) bool {
	for _, l := range s.st.sides[i].lots {
		if l.kind == opening && z > l.z0-6 && z < l.z1+4 {
			return true
		}
	}
	return false
}

// lanes gives the middle of each lane and whether it is oncoming; traffic
// keeps to the right.
func (s *scene) laneAt(i int) (x float32, oncoming bool) {
	x = (float32(i) + 0.5 - float32(s.st.lanes)/2) * s.st.lane
	return x, x < -0.1
}

// drive fills the lanes with traffic; the camera's own lane stays free for a
// few metres.
func (s *scene) drive() {
	st := &s.st
	density := s.in(s.p.traffic)
	if st.rails && s.chance(0.8) {
		on := s.chance(0.5)
		x, z := float32(1.6), s.uni(14, 40)
		if on {
			x, z = -1.6, s.uni(10, 36)
		}
		s.tram(x, z, on)
	}
	for i := range st.lanes {
		x, oncoming := s.laneAt(i)
		yaw := float32(0)
		if oncoming {
			yaw = 3.1415927
		}
		z := s.uni(5, 24)
		if abs(x-s.cam.pos.x) < 1.5 {
			z = s.uni(10, 36)
		}
		for z < 130 {
			if st.rails && abs(x) < st.lane {
				z += 25 // the tram's lane stays emptier
			}
			z += s.vehicle(x+s.uni(-0.25, 0.25), z, yaw) + s.uni(0.3, 1.7)*60/(density+0.4)
		}
	}
	s.twoWheelers()
}

// vehicle places one car, bus or truck and returns the length it takes up.
func (s *scene) vehicle(x, z, yaw float32) float32 {
	switch s.weighted(s.p.vehicles) {
	case 1:
		s.lorry(x, z+5, yaw)
		return 14
	case 2:
		s.coach(x, z+6, yaw)
		return 15
	}
	s.parkCar(x, z, yaw)
	return 5
}

// twoWheelers places cyclists and motorcyclists on the road.
func (s *scene) twoWheelers() {
	st := &s.st
	edge := st.half - 0.8
	if st.park[0] || st.park[1] {
		edge -= parkingWidth
	}
	ride := func(mean float32, far float32, place func(x, z, yaw float32)) {
		for range s.count(mean) {
			z := s.uni(6, far)
			x, yaw := edge+s.uni(-0.3, 0.3), s.uni(-0.15, 0.15)
			switch s.rnd.IntN(5) {
			case 0:
				x, yaw = -x, yaw+3.1415927
			case 1: // crossing
				x, yaw = s.uni(-edge, edge), 1.5708*float32(1-2*s.rnd.IntN(2))
			}
			place(x, z, yaw)
		}
	}
	ride(s.p.riders, 24, func(x, z, yaw float32) { s.bike(x, z, yaw, true) })
	ride(s.p.motorbikes, 24, func(x, z, yaw float32) { s.motorbike(x-sign32(x)*0.6, z, yaw, true) })
}

func sign32(x float32) float32 { return float32(sign(x)) }

// populate places pedestrians and parked bicycles on the pavements.
func (s *scene) populate() {
	st := &s.st
	for i := range st.sides {
		sd := &st.sides[i]
		lo, hi := st.half+0.8+sd.verge, st.front(sd)-0.4
		if hi < lo {
			hi = lo + 0.4
		}
		for range s.count(s.in(s.p.walkers)) {
			z := 5 + 50*s.rnd.Float32()*s.uni(0.3, 1)
			x, yaw := sd.sign*s.uni(lo, hi), float32(3.1415927)*float32(s.rnd.IntN(2))+s.uni(-0.4, 0.4)
			s.walker(x, z, yaw)
			if s.chance(0.3) {
				s.walker(x+s.uni(0.5, 0.8), z+s.uni(-0.3, 0.3), yaw+s.uni(-0.2, 0.2))
			}
		}
		for range s.count(s.p.bikesParked) {
			z := s.uni(6, 26)
			yaw := s.uni(-0.3, 0.3)
			if s.chance(0.5) {
				yaw += 1.5708
			}
			for j := range 1 + s.rnd.IntN(4) {
				s.bike(sd.sign*(st.half+1+sd.verge*0.5+s.uni(0, 0.3)), z+0.75*float32(j), yaw+s.uni(-0.1, 0.1), false)
			}
		}
		if s.chance(0.1) {
			s.motorbike(sd.sign*(lo+0.4), s.uni(6, 20), s.uni(-1, 1), false)
		}
	}
	if s.chance(0.22) { // people crossing the road
		z := s.uni(9, 28)
		for range 1 + s.rnd.IntN(3) {
			s.walker(s.uni(-st.half, st.half), z+s.uni(-1, 1), 1.5708*float32(1-2*s.rnd.IntN(2)))
		}
	}
}
