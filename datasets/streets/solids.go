package streets

// panel is a flat face whose colour runs from lo (v = 0) to hi (v = 1).
type panel struct {
	lo, hi rgb
	label  uint8
}

func (s *panel) shade(c *canvas, fs []frag) {
	d := s.hi.add(s.lo.mul(-1))
	for k := range fs {
		v := fs[k].v
		c.put(&fs[k], rgb{s.lo.r + v*d.r, s.lo.g + v*d.g, s.lo.b + v*d.b}, s.label)
	}
}

// face holds the corners of a quadrilateral as seen from its front: bottom
// left, bottom right, top right, top left.
type face [4]vec3

// normal points to the viewer of the front.
func (q *face) normal() vec3 { return q[3].sub(q[0]).cross(q[1].sub(q[0])).unit() }

// inset is the part of a face between the given fractions of its width and
// height.
func (q *face) inset(x0, y0, x1, y1 float32) face {
	at := func(x, y float32) vec3 { return q[0].lerp(q[1], x).lerp(q[3].lerp(q[2], x), y) }
	return face{at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1)}
}

// The faces of a hull, in this order.
const (
	back = iota
	right
	front
	left
	top
)

// rect is a horizontal rectangle of a hull at one height, in its frame.
type rect struct{ x0, z0, x1, z1, y float32 }

// hull gives the four sides and the top of the body between two rectangles.
func hull(f *frame, b, t rect) [5]face {
	bl, br := f.at(b.x0, b.y, b.z0), f.at(b.x1, b.y, b.z0)
	fl, fr := f.at(b.x0, b.y, b.z1), f.at(b.x1, b.y, b.z1)
	tbl, tbr := f.at(t.x0, t.y, t.z0), f.at(t.x1, t.y, t.z0)
	tfl, tfr := f.at(t.x0, t.y, t.z1), f.at(t.x1, t.y, t.z1)
	return [5]face{
		{bl, br, tbr, tbl},
		{br, fr, tfr, tbr},
		{fr, fl, tfl, tfr},
		{fl, bl, tbl, tfl},
		{tbl, tbr, tfr, tfl},
	}
}

// visible tells whether the camera is on the front side of a face.
func (s *scene) visible(q *face) bool {
	return q.normal().dot(s.cam.pos.sub(q[0])) > 0
}

// decal draws a face without lighting, over the surface it lies on.
func (s *scene) decal(q face, col rgb, label uint8) {
	s.panelFace(q, col, col, label, 1.004)
}

// lit draws a face with the light its direction receives; the lower edge gets
// a little less of the sky than the upper one.
func (s *scene) lit(q face, col rgb, label uint8, bias float32) {
	if !s.visible(&q) {
		return
	}
	l := col.times(s.light.on(q.normal()))
	s.panelFace(q, l.mul(0.82), l.mul(1.06), label, bias)
}

func (s *scene) panelFace(q face, lo, hi rgb, label uint8, bias float32) {
	if !s.visible(&q) {
		return
	}
	s.polygon(&panel{lo, hi, label}, bias,
		vertex{q[0], 0, 0}, vertex{q[1], 1, 0}, vertex{q[2], 1, 1}, vertex{q[3], 0, 1})
}

// body draws the faces of a hull in one colour and returns them.
func (s *scene) body(f *frame, b, t rect, col rgb, label uint8) [5]face {
	qs := hull(f, b, t)
	for _, q := range qs {
		s.lit(q, col, label, 1)
	}
	return qs
}

// box draws an upright box.
func (s *scene) box(f *frame, x0, y0, z0, x1, y1, z1 float32, col rgb, label uint8) [5]face {
	return s.body(f, rect{x0, z0, x1, z1, y0}, rect{x0, z0, x1, z1, y1}, col, label)
}

// limb draws a tapered cylinder between two points, at least about one sample
// wide, with round ends when caps is set.
func (s *scene) limb(a, b vec3, ra, rb float32, col rgb, label uint8, caps bool) {
	mid := a.lerp(b, 0.5)
	z := mid.sub(s.cam.pos).dot(s.cam.forward)
	if z < nearPlane {
		return
	}
	least := 0.6 * z / s.cam.focal
	ra, rb = max(ra, least), max(rb, least)
	side := b.sub(a).cross(mid.sub(s.cam.pos)).unit()
	sh := &round{col.times(s.light.mean()), label, s.light.sunlit * clamp(side.dot(s.light.dir)*2, -1, 1)}
	da, db := side.mul(ra), side.mul(rb)
	s.polygon(sh, 1, vertex{a.sub(da), -1, 0}, vertex{a.add(da), 1, 0}, vertex{b.add(db), 1, 1}, vertex{b.sub(db), -1, 1})
	if caps && ra > 1.5*least {
		s.ball(a, ra, ra, col, label)
		s.ball(b, rb, rb, col, label)
	}
}

// ball draws an ellipsoid of the given half width and height that faces the
// camera.
func (s *scene) ball(o vec3, rx, ry float32, col rgb, label uint8) {
	sh := &round{col.times(s.light.mean()), label, s.light.sunlit * clamp(s.light.dir.dot(s.cam.right)*2, -1, 1)}
	s.billboard(sh, o, rx, ry)
}

// unitCircle has the corners of a regular dodecagon of radius 1.
var unitCircle = func() (c [12][2]float32) {
	for i := range c {
		s, co := sincos(float32(i) * 0.5235988)
		c[i] = [2]float32{co, s}
	}
	return c
}()

// billboard draws an ellipse that faces the camera; u and v run from -1 to 1.
func (s *scene) billboard(sh shader, o vec3, rx, ry float32) {
	if s.ballHidden(o, max(rx, ry)) {
		return
	}
	var vs [len(unitCircle)]vertex
	r, u := s.cam.right.mul(rx), s.cam.up.mul(ry)
	for i, c := range unitCircle {
		vs[i] = vertex{o.add(r.mul(c[0])).add(u.mul(c[1])), c[0], c[1]}
	}
	s.polygon(sh, 1, vs[:]...)
}

// disc draws a circle in the plane of two axes of the given length.
func (s *scene) disc(sh shader, bias float32, o, ax, ay vec3) {
	var vs [len(unitCircle)]vertex
	for i, c := range unitCircle {
		vs[i] = vertex{o.add(ax.mul(c[0])).add(ay.mul(c[1])), c[0], c[1]}
	}
	s.polygon(sh, bias, vs[:]...)
}
