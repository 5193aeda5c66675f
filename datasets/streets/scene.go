package streets

import (
	"math/rand/v2"
	"slices"
)

// scene is one street while it is drawn.
type scene struct {
	*canvas
	rnd   *rand.Rand
	pcg   *rand.PCG
	p     *profile
	kind  *quarter
	n     *noises
	light light
	st    street

	queue []item // opaque objects
	glass []item // objects that let the background through
}

// item is something to draw at a distance from the camera.
type item struct {
	z    float32
	draw func()
}

// light is a sun and a sky.
type light struct {
	dir         vec3 // towards the sun
	sun, sky    rgb  // colour times strength
	bounce      rgb  // from the ground
	sunlit      float32
	zenith, rim rgb     // sky colours overhead and at the horizon
	cloud       rgb     // colour of clouds
	cover       float32 // cloud cover, 0–1
	haze        float32 // extinction per metre
}

// on is the light that a surface with normal n receives.
func (l *light) on(n vec3) rgb {
	return l.sun.mul(max(0, n.dot(l.dir))).add(l.sky.mul(0.5 + 0.5*n.y)).add(l.bounce.mul(0.5 - 0.5*n.y))
}

// mean is the light on an upright object as a whole.
func (l *light) mean() rgb { return l.sun.mul(0.5).add(l.sky.mul(0.55)).add(l.bounce.mul(0.35)) }

// shade is the factor by which a cast shadow dims the ground.
func (l *light) shade() rgb {
	lit := l.on(vec3{0, 1, 0})
	return rgb{l.sky.r / lit.r, l.sky.g / lit.g, l.sky.b / lit.b}
}

// street bends the world: the axis of the road is a parabola in both views.
type street struct {
	curve, slope float32 // 1/m, sideways and up
	half         float32 // half width of the carriageway
	lanes        int
	lane         float32 // lane width
	park         [2]bool // parking lane on the left, right
	sides        [2]side
	rails        bool // tram tracks in the middle
}

// side is what lies beside the carriageway.
type side struct {
	sign  float32 // -1 left, 1 right
	verge float32 // width of the grass strip along the kerb
	walk  float32 // width of the pavement
	lots  []lot
}

// front is the distance of the building line from the axis.
func (st *street) front(sd *side) float32 { return st.half + sd.verge + sd.walk }

// place is the frame at lateral position x and distance z along the road.
func (s *scene) place(x, z float32) frame {
	sn, cs := sincos(s.st.curve * z)
	o := vec3{0.5*s.st.curve*z*z + x*cs, 0.5 * s.st.slope * z * z, z - x*sn}
	return frame{o, vec3{cs, 0, -sn}, vec3{0, 1, 0}, vec3{sn, s.st.slope * z, cs}}
}

// point is the world position at (x, z) on the road, y above it.
func (s *scene) point(x, y, z float32) vec3 {
	f := s.place(x, z)
	f.o.y += y
	return f.o
}

func (s *scene) uni(lo, hi float32) float32 { return lo + (hi-lo)*s.rnd.Float32() }
func (s *scene) in(a span) float32          { return s.uni(a[0], a[1]) }
func (s *scene) chance(p float32) bool      { return s.rnd.Float32() < p }
func (s *scene) paint(palette []uint32) rgb { return paint(palette[s.rnd.IntN(len(palette))]) }
func (s *scene) vary(c rgb, by float32) rgb { return c.mul(s.uni(1-by, 1+by)) }

// weighted draws an index with probability proportional to its weight.
func (s *scene) weighted(w []float32) int {
	var sum float32
	for _, x := range w {
		sum += x
	}
	t := s.rnd.Float32() * sum
	for i, x := range w {
		if t -= x; t < 0 {
			return i
		}
	}
	return len(w) - 1
}

// add queues an opaque object, addGlass one that is seen through.
func (s *scene) add(z float32, draw func())      { s.queue = append(s.queue, item{z, draw}) }
func (s *scene) addGlass(z float32, draw func()) { s.glass = append(s.glass, item{z, draw}) }

// paintAll draws the queues: opaque objects from near to far, which saves
// shading, then the sky, then see-through objects from far to near.
func (s *scene) paintAll() {
	slices.SortStableFunc(s.queue, byDistance)
	for _, it := range s.queue {
		it.draw()
	}
	s.paintSky()
	slices.SortStableFunc(s.glass, byDistance)
	for _, it := range slices.Backward(s.glass) {
		it.draw()
	}
}

func byDistance(a, b item) int {
	switch {
	case a.z < b.z:
		return -1
	case a.z > b.z:
		return 1
	}
	return 0
}

// paintSky fills the samples that nothing covers.
func (s *scene) paintSky() {
	l := &s.light
	cam := &s.cam
	ou, ov := s.uni(0, 256), s.uni(0, 256)
	for y := range s.h {
		py := (cam.cy - float32(y) - 0.5) / cam.focal
		for x := range s.w {
			i := y*s.w + x
			if s.depth[i] > 0 {
				continue
			}
			px := (float32(x) + 0.5 - cam.cx) / cam.focal
			d := cam.forward.add(cam.right.mul(px)).add(cam.up.mul(py))
			e := max(d.y, 0) / sqrt(d.dot(d)) // sine of the elevation
			col := l.rim.mix(l.zenith, 1-1/(1+4.5*e))
			k := 11 / (e + 0.09)
			c := s.n.cloud.at(d.x*k*1.2+ou, k+ov) + 0.35*s.n.leaf.at(d.x*k*2+ov, k*2+ou)
			t := clamp((c+l.cover-0.5)*3.5, 0, 1) * clamp(e*7, 0.1, 1)
			s.col[i], s.lab[i] = col.mix(l.cloud, t), sky
		}
	}
}

// castBox darkens the ground where the box throws its shadow, and right under
// it. It must be called before any object is drawn.
func (s *scene) castBox(f *frame, x0, z0, x1, z1, h float32) {
	if s.light.sunlit == 0 {
		return
	}
	d := s.light.dir
	off := vec3{-d.x / d.y * h, 0, -d.z / d.y * h}
	var ps []vec3
	for _, q := range [4]vec3{f.at(x0, 0, z0), f.at(x1, 0, z0), f.at(x1, 0, z1), f.at(x0, 0, z1)} {
		ps = append(ps, q, q.add(off))
	}
	vs := make([]vertex, 0, 8)
	for _, q := range convex(ps) {
		vs = append(vs, vertex{p: q})
	}
	s.polygon(&shadow{s.light.shade()}, 1e6, vs...)
}

// convex is the convex hull of points seen from above (Andrew's monotone
// chain).
func convex(ps []vec3) []vec3 {
	slices.SortFunc(ps, func(a, b vec3) int {
		if a.x != b.x {
			return sign(a.x - b.x)
		}
		return sign(a.z - b.z)
	})
	turn := func(a, b, c vec3) float32 { return (b.x-a.x)*(c.z-a.z) - (b.z-a.z)*(c.x-a.x) }
	var h []vec3
	for pass := range 2 {
		floor := len(h) + 1
		if pass == 1 {
			slices.Reverse(ps)
		}
		for _, p := range ps {
			for len(h) > floor && turn(h[len(h)-2], h[len(h)-1], p) <= 0 {
				h = h[:len(h)-1]
			}
			h = append(h, p)
		}
		h = h[:len(h)-1]
	}
	return h
}

func sign(x float32) int {
	if x < 0 {
		return -1
	}
	return 1
}

// contactShadow darkens the ground softly under a footprint.
func (s *scene) contactShadow(f *frame, x0, z0, x1, z1, depth float32) {
	sh := &contact{depth}
	s.polygon(sh, 1e6, vertex{f.at(x0, 0.01, z0), -1, -1}, vertex{f.at(x1, 0.01, z0), 1, -1},
		vertex{f.at(x1, 0.01, z1), 1, 1}, vertex{f.at(x0, 0.01, z1), -1, 1})
}
