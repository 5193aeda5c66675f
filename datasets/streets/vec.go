package streets

import "math"

// vec3 is a point or direction: x to the right, y up, z forward, in metres.
type vec3 struct{ x, y, z float32 }

func (a vec3) add(b vec3) vec3    { return vec3{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec3) sub(b vec3) vec3    { return vec3{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec3) mul(s float32) vec3 { return vec3{a.x * s, a.y * s, a.z * s} }
func (a vec3) dot(b vec3) float32 { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec3) cross(b vec3) vec3 {
	return vec3{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x}
}
func (a vec3) unit() vec3                  { return a.mul(1 / max(sqrt(a.dot(a)), 1e-9)) }
func (a vec3) lerp(b vec3, t float32) vec3 { return a.add(b.sub(a).mul(t)) }

// rgb is a colour in linear light; 1 is a white surface in full daylight.
type rgb struct{ r, g, b float32 }

func (a rgb) add(b rgb) rgb            { return rgb{a.r + b.r, a.g + b.g, a.b + b.b} }
func (a rgb) times(b rgb) rgb          { return rgb{a.r * b.r, a.g * b.g, a.b * b.b} }
func (a rgb) mul(s float32) rgb        { return rgb{a.r * s, a.g * s, a.b * s} }
func (a rgb) mix(b rgb, t float32) rgb { return a.mul(1 - t).add(b.mul(t)) }

// paint converts an sRGB colour 0xRRGGBB to linear light (gamma 2.2).
func paint(hex uint32) rgb {
	ch := func(shift uint) float32 { return pow(float32(hex>>shift&255)/255, 2.2) }
	return rgb{ch(16), ch(8), ch(0)}
}

func sqrt(x float32) float32   { return float32(math.Sqrt(float64(x))) }
func pow(x, e float32) float32 { return float32(math.Pow(float64(x), float64(e))) }
func sincos(a float32) (s, c float32) {
	s64, c64 := math.Sincos(float64(a))
	return float32(s64), float32(c64)
}
func abs(x float32) float32           { return max(x, -x) }
func clamp(x, lo, hi float32) float32 { return min(max(x, lo), hi) }
func lerp(a, b, t float32) float32    { return a + (b-a)*t }

// camera is a pinhole with its axes as rows of the rotation.
type camera struct {
	pos                vec3
	right, up, forward vec3
	focal, cx, cy      float32 // in samples of the canvas
}

// newCamera looks along z, turned by yaw (right positive), pitch (up positive)
// and roll (clockwise), all in radians.
func newCamera(pos vec3, yaw, pitch, roll, focal, cx, cy float32) camera {
	sy, cyw := sincos(yaw)
	sp, cp := sincos(pitch)
	sr, cr := sincos(roll)
	f := vec3{sy * cp, sp, cyw * cp}
	r := vec3{cyw, 0, -sy}
	u := f.cross(r)
	return camera{
		pos: pos, forward: f, focal: focal, cx: cx, cy: cy,
		right: r.mul(cr).add(u.mul(sr)),
		up:    u.mul(cr).sub(r.mul(sr)),
	}
}

// local gives a world point in the camera's axes.
func (c *camera) local(p vec3) vec3 {
	d := p.sub(c.pos)
	return vec3{d.dot(c.right), d.dot(c.up), d.dot(c.forward)}
}

// frame is a local coordinate system in the world: objects are modelled in
// it with x to their right, y up and z to their front.
type frame struct{ o, x, y, z vec3 }

// at gives the world point of local coordinates.
func (f *frame) at(x, y, z float32) vec3 {
	return f.o.add(f.x.mul(x)).add(f.y.mul(y)).add(f.z.mul(z))
}

// turned is the frame rotated about its vertical axis, right positive.
func (f frame) turned(yaw float32) frame {
	s, c := sincos(yaw)
	return frame{f.o, f.x.mul(c).sub(f.z.mul(s)), f.y, f.z.mul(c).add(f.x.mul(s))}
}

// moved is the frame with its origin at the given local coordinates.
func (f frame) moved(x, y, z float32) frame {
	f.o = f.at(x, y, z)
	return f
}
