package streets

// body colours: what a person wears.
type clothes struct{ skin, hair, shirt, trousers, shoes rgb }

var (
	skins = []uint32{0xe0b090, 0xd09a78, 0xc08a68, 0x8a5a3c, 0x5a3a28}
	hairs = []uint32{0x1c1612, 0x2e2018, 0x5a3e24, 0x9a7a48, 0x8c8680}
)

func (s *scene) dress() clothes {
	return clothes{
		skin: s.paint(skins), hair: s.paint(hairs), shirt: s.vary(s.paint(s.p.shirts), 0.15),
		trousers: s.vary(s.paint(s.p.trousers), 0.15), shoes: s.paint([]uint32{0x18181a, 0x3a2a20, 0xc8c8c4}),
	}
}

// walker places a pedestrian at (x, z) heading by yaw.
func (s *scene) walker(x, z, yaw float32) {
	f := s.place(x, z).turned(yaw)
	if abs(x) > s.st.half {
		f.o.y += kerbHeight
	}
	size := s.uni(0.92, 1.08)
	if s.chance(0.08) {
		size = s.uni(0.6, 0.8)
	}
	f.x, f.y, f.z = f.x.mul(size), f.y.mul(size), f.z.mul(size)
	look, step := s.dress(), s.uni(-0.32, 0.32)
	coat, bag := s.chance(s.p.coats), s.chance(0.35)
	s.castBox(&f, -0.25, -0.15, 0.25, 0.15, 1.7)
	s.contactShadow(&f, -0.5, -0.45, 0.5, 0.45, 0.6)
	s.add(z, func() { s.drawWalker(&f, &look, step, coat, bag) })
}

// drawWalker draws a standing or walking person; step is the stride in metres.
func (s *scene) drawWalker(f *frame, c *clothes, step float32, coat, bag bool) {
	for _, sd := range []float32{-1, 1} {
		t := step * sd
		hip, knee, foot := f.at(sd*0.09, 0.9, 0), f.at(sd*0.1, 0.49, t*0.55+0.03), f.at(sd*0.1, 0.07, t)
		s.limb(hip, knee, 0.1, 0.075, c.trousers, person, true)
		s.limb(knee, foot, 0.075, 0.055, c.trousers, person, false)
		s.limb(foot, f.at(sd*0.11, 0.05, t+0.16), 0.055, 0.045, c.shoes, person, true)
		shoulder, elbow, hand := f.at(sd*0.2, 1.4, 0), f.at(sd*0.26, 1.13, -t*0.4), f.at(sd*0.25, 0.88, -t*0.9+0.05)
		s.limb(shoulder, elbow, 0.065, 0.055, c.shirt, person, true)
		s.limb(elbow, hand, 0.055, 0.045, c.shirt.mul(0.94), person, false)
		s.ball(hand, 0.055, 0.06, c.skin, person)
		s.limb(f.at(sd*0.07, 0.95, 0), f.at(sd*0.1, 1.38, 0), 0.12, 0.13, c.shirt, person, true)
	}
	if coat {
		s.limb(f.at(0, 0.62, 0), f.at(0, 1.1, 0), 0.21, 0.17, c.shirt.mul(0.92), person, false)
	}
	s.headOf(f, c, 1.62)
	if bag {
		s.box(f, 0.22, 0.75, -0.12, 0.34, 1.05, 0.16, c.shoes.mul(1.2), person)
	}
}

// headOf draws neck, face and hair with the head's centre at height y.
func (s *scene) headOf(f *frame, c *clothes, y float32) {
	s.limb(f.at(0, y-0.2, 0), f.at(0, y-0.05, 0.01), 0.055, 0.055, c.skin, person, false)
	s.ball(f.at(0, y, 0.03), 0.1, 0.125, c.skin, person)
	s.ball(f.at(0, y+0.045, -0.035), 0.112, 0.112, c.hair, person)
}

// seat is where a rider sits, in the cycle's frame.
type seat struct {
	hip, shoulder, hand [2]float32 // z and y
	foot                [2][2]float32
	wide                float32 // half distance of the hands
}

// drawRider draws a person on a cycle.
func (s *scene) drawRider(f *frame, c *clothes, a *seat, helmet rgb, helmeted bool) {
	for i, sd := range []float32{-1, 1} {
		hip, foot := f.at(sd*0.1, a.hip[1], a.hip[0]), f.at(sd*0.13, a.foot[i][1], a.foot[i][0])
		knee := f.at(sd*0.15, (a.hip[1]+a.foot[i][1])/2+0.1, max(a.hip[0], a.foot[i][0])+0.28)
		s.limb(hip, knee, 0.105, 0.08, c.trousers, rider, true)
		s.limb(knee, foot, 0.08, 0.055, c.trousers, rider, true)
		s.limb(foot, f.at(sd*0.13, a.foot[i][1]-0.02, a.foot[i][0]+0.15), 0.055, 0.045, c.shoes, rider, true)
		shoulder := f.at(sd*0.2, a.shoulder[1], a.shoulder[0])
		hand := f.at(sd*a.wide, a.hand[1], a.hand[0])
		elbow := shoulder.lerp(hand, 0.5).add(f.x.mul(sd * 0.07)).sub(vec3{0, 0.06, 0})
		s.limb(shoulder, elbow, 0.07, 0.06, c.shirt, rider, true)
		s.limb(elbow, hand, 0.06, 0.045, c.shirt.mul(0.94), rider, true)
		s.limb(f.at(sd*0.07, a.hip[1], a.hip[0]), f.at(sd*0.1, a.shoulder[1], a.shoulder[0]), 0.13, 0.14, c.shirt, rider, true)
	}
	y, z := a.shoulder[1]+0.24, a.shoulder[0]+0.06
	s.limb(f.at(0, y-0.2, z-0.05), f.at(0, y, z), 0.06, 0.06, c.skin, rider, false)
	s.ball(f.at(0, y, z+0.03), 0.1, 0.125, c.skin, rider)
	top := c.hair
	if helmeted {
		top = helmet
	}
	s.ball(f.at(0, y+0.05, z-0.03), 0.125, 0.12, top, rider)
}
