package graphs

// Resize samples the maps x [N,C,H,W] at another size h×w, with half-pixel centres (align_corners false).
// mode is "linear" (bilinear, no antialiasing, clamped at the border) or "nearest" (round half down).
func (g *Graph) Resize(x *Value, h, w int, mode string) *Value {
	in := []*Value{x}
	g.checkFloat("Resize", x)
	g.checkRank("Resize", x, 4, in...)
	if h <= 0 || w <= 0 {
		g.fail("Resize", in, "size %d×%d", h, w)
	}
	if mode != "linear" && mode != "nearest" {
		g.fail("Resize", in, "unknown mode %q", mode)
	}
	if x.shape[2] == h && x.shape[3] == w {
		return x
	}
	shape := Shape{x.shape[0], x.shape[1], h, w}
	attrs := []Attr{{"coordinate_transformation_mode", "half_pixel"}, {"mode", mode}}
	if mode == "nearest" {
		attrs = append(attrs, Attr{"nearest_mode", "round_prefer_floor"})
	}
	return g.add1("Resize", []*Value{x, nil, nil, g.ints1(shape)}, Float32, shape, attrs...)
}
