package streets

import (
	"fmt"
	"math/rand/v2"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// Version names the look of the pictures; it changes whenever they do.
const Version = 2

// Domain is the kind of picture a street is drawn as.
type Domain string

// The domains: Game is the source, Camera the target.
const (
	Game   Domain = "game"
	Camera Domain = "camera"
)

// Valid tells whether the domain exists.
func (d Domain) Valid() bool { return d == Game || d == Camera }

// Render draws street number index of a seed as a picture [3,h,w] (0–255, whole
// numbers) with its train ids [h,w]. It is a pure function of its arguments;
// the size changes the sampling only, not the street. It panics for an unknown
// domain or a size below 16 × 16.
func Render(seed uint64, index int, d Domain, w, h int) (*raster.Image, *raster.Labels) {
	if !d.Valid() || w < 16 || h < 16 {
		panic(fmt.Sprintf("streets: cannot draw domain %q at %d×%d", d, w, h))
	}
	p := gameProfile()
	if d == Camera {
		p = cameraProfile()
	}
	draw := rng.New(seed, index, "streets/layout/"+string(d))
	s := &scene{
		canvas: newCanvas(superSampling*w, superSampling*h), p: p, n: tables(),
		pcg: rand.NewPCG(draw.Uint64(), draw.Uint64()),
	}
	s.rnd = rand.New(s.pcg)
	s.kind = &p.quarters[s.weighted(p.mix)]
	s.lighten(&p.weather[s.weighted(p.weathers)])
	s.plan()
	s.aim()
	s.paintGround()
	s.build()
	s.paintAll()
	if d == Camera {
		s.bonnet()
	}
	sensor := rng.New(seed, index, "streets/film/"+string(d))
	return s.develop(filmOf(d, sensor), sensor, w, h)
}

// reseed gives the drawing of one object its own stream, so that the order in
// which objects are drawn does not matter.
func (s *scene) reseed(seed uint64) { s.pcg.Seed(seed, 0x9e3779b97f4a7c15) }

// lighten sets up sun and sky.
func (s *scene) lighten(w *weather) {
	el, az := s.in(w.elevation), s.uni(0, 6.2831853)
	se, ce := sincos(el)
	sa, ca := sincos(az)
	diffuse := paint(w.sky).mul(w.diffuse)
	s.light = light{
		dir: vec3{ce * sa, se, ce * ca}, sun: paint(w.sun).mul(w.direct), sky: diffuse,
		bounce: rgb{0.2, 0.19, 0.17}.mul(w.diffuse + w.direct*0.7),
		zenith: paint(w.zenith).mul(w.glow), rim: paint(w.rim).mul(w.glow), cloud: paint(w.cloud).mul(w.glow),
		cover: s.in(w.cover), haze: s.in(w.haze),
	}
	if w.direct > 0 {
		s.light.sunlit = w.direct
	}
}

// aim puts the camera into a lane that drives away from the viewer.
func (s *scene) aim() {
	st := &s.st
	var lanes []float32
	for i := range st.lanes {
		if x, oncoming := s.laneAt(i); !oncoming {
			lanes = append(lanes, x)
		}
	}
	x := lanes[s.rnd.IntN(len(lanes))] + s.uni(-0.4, 0.4)
	s.cam = newCamera(vec3{x, s.in(s.p.height), 0}, s.uni(-0.06, 0.06)+st.curve*10, s.uni(-1, 1)*s.p.pitch-0.01,
		s.uni(-1, 1)*s.p.roll, s.in(s.p.focal)*float32(s.w), float32(s.w)*0.5, float32(s.h)*0.46)
}

// bonnet draws the edge of the own car, which Cityscapes leaves unlabelled.
func (s *scene) bonnet() {
	w, h := float32(s.w), float32(s.h)
	col := paint(0x1c1e22).times(s.light.mean()).add(s.light.zenith.mul(0.06))
	for y := int(0.9 * h); y < s.h; y++ {
		t := (float32(y)/h - 0.945) / 0.055
		for x := range s.w {
			u := float32(x)/w*2 - 1
			if e := t - 0.75*u*u*u*u - 0.1*u*u; e > 0 {
				i := y*s.w + x
				s.col[i], s.lab[i], s.depth[i] = col.mul(1.25-0.4*min(e, 1)), raster.Void, 10
			}
		}
	}
}
