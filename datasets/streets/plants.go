package streets

// tree queues a tree of height h at (x, z).
func (s *scene) tree(x, z, h float32) {
	f := s.place(x, z)
	f.o.y += kerbHeight * 0.5
	leaf := s.vary(s.paint(s.p.leaves), 0.18)
	conifer := s.chance(s.p.conifers)
	bare := s.uni(0.2, 0.36)
	width := h * s.uni(0.26, 0.4)
	if conifer {
		bare, width = 0.1, h*0.2
	}
	seed := s.rnd.Uint64()
	s.add(z, func() {
		s.reseed(seed)
		trunk := paint(0x54463a)
		topY := h * (bare + 0.25)
		r := 0.1 + 0.014*h
		s.limb(f.at(0, 0, 0), f.at(s.uni(-0.2, 0.2), topY, 0), r, r*0.7, trunk, vegetation, false)
		if conifer {
			s.cone(&f, h, bare, width, leaf)
			return
		}
		for range 3 {
			s.limb(f.at(0, h*bare, 0), f.at(s.uni(-width, width)*0.6, h*s.uni(0.5, 0.7), s.uni(-1, 1)), r*0.5, r*0.3, trunk, vegetation, false)
		}
		s.crown(&f, h, bare, width, leaf)
	})
}

// crown draws balls of leaves, those in front last.
func (s *scene) crown(f *frame, h, bare, width float32, leaf rgb) {
	mid, tall := h*(1+bare)/2, h*(1-bare)/2
	s.puff(f.at(0, mid, 0), width*0.85, tall*0.9, leaf.mul(0.8))
	n := 7 + s.rnd.IntN(4)
	if z := s.cam.local(f.o).z; z > 70 { // too small for detail
		n = 3
	} else if z > 35 {
		n = 5
	}
	for i := range n {
		sn, cs := sincos(float32(i)*2.4 + s.uni(0, 1))
		ring := s.uni(0.35, 0.72)
		y := mid + tall*s.uni(-0.62, 0.62)
		r := width * s.uni(0.36, 0.56)
		s.puff(f.at(cs*width*ring, y, sn*width*ring), r, r*s.uni(0.8, 1), leaf.mul(0.85+0.3*(y-mid+tall)/(2*tall)))
	}
}

// cone draws the tiers of a conifer.
func (s *scene) cone(f *frame, h, bare, width float32, leaf rgb) {
	const tiers = 7
	for i := range tiers {
		t := float32(i) / tiers
		r := width * (1.05 - t)
		s.puff(f.at(s.uni(-0.1, 0.1), h*lerp(bare, 0.95, t), -0.05*float32(i)), r, h*0.12, leaf.mul(0.65))
	}
}

// puff draws one ball of leaves.
func (s *scene) puff(o vec3, rx, ry float32, leaf rgb) {
	l := s.light.mean().mul(1.15)
	lit := leaf.times(l)
	cells := s.p.texture.leaf * max(rx, ry)
	s.billboard(&foliage{
		col: lit.mul(1.25), dark: leaf.times(s.light.sky.mul(0.36)), label: vegetation, n: s.n,
		scale: cells, ou: s.uni(0, 256), ov: s.uni(0, 256),
		lu: s.light.dir.dot(s.cam.right) * s.light.sunlit, lv: 0.9,
		ragged: 1.1, contrast: s.p.texture.leafContrast,
	}, o, rx*1.15, ry*1.15)
}

// bush queues a low plant.
func (s *scene) bush(x, z, r float32) {
	f := s.place(x, z)
	leaf := s.vary(s.paint(s.p.leaves), 0.2)
	seed := s.rnd.Uint64()
	s.add(z, func() {
		s.reseed(seed)
		for range 4 {
			s.puff(f.at(s.uni(-r, r)*0.6, r*s.uni(0.3, 0.75), s.uni(-r, r)*0.5), r*0.8, r*0.65, leaf)
		}
	})
}

// hedge queues a clipped row of plants between z0 and z1.
func (s *scene) hedge(x, z0, z1, h float32) {
	leaf := s.vary(s.paint(s.p.leaves), 0.15)
	for z := max(z0, 1.5) + h/2; z < z1; z += h * 0.55 {
		f := s.place(x, z)
		seed := s.rnd.Uint64()
		s.add(z, func() {
			s.reseed(seed)
			s.puff(f.at(0, h*0.42, 0), h*0.62, h*0.55, leaf)
			s.puff(f.at(0, h*0.7, 0), h*0.5, h*0.33, leaf.mul(1.1))
		})
	}
}

// thicket queues the trees and bushes that close a view between two lateral
// positions at distance z.
func (s *scene) thicket(x0, x1, z, h float32) {
	step := h * 0.42
	for x := x0; x < x1; x += step {
		s.tree(x+s.uni(-1, 1), z+s.uni(-4, 4), h*s.uni(0.7, 1.15))
		s.bush(x+s.uni(0, step), z-3, s.uni(1, 2.2))
	}
}
