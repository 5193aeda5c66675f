package translate

// guided returns p, given at the size of the guide shrunk by k, at the guide's
// size with its edges where the guide has edges: in each window p is fitted by a
// line over the guide, a·guide + b, with eps (of the guide's squared unit) against
// slopes in flat windows (He, Sun and Tang, ECCV 2010; on a small guide: He and
// Sun, "Fast Guided Filter", 2015). The radius is of the small size.
func guided(guide, p *field, k, radius int, eps float32) *field {
	small := guide.shrunk(k)
	product, square := newField(p.w, p.h), newField(p.w, p.h)
	for i, g := range small.v {
		product.v[i], square.v[i] = g*p.v[i], g*g
	}
	meanG, meanP := small.box(radius), p.box(radius)
	a, b := product.box(radius), square.box(radius)
	for i, g := range meanG.v {
		slope := (a.v[i] - g*meanP.v[i]) / (b.v[i] - g*g + eps)
		a.v[i], b.v[i] = slope, meanP.v[i]-slope*g
	}
	a, b = a.box(radius), b.box(radius)
	out, slopes, shifts := newField(guide.w, guide.h), newEnlarger(a, guide.w, guide.h, false), newEnlarger(b, guide.w, guide.h, false)
	slope := make([]float32, guide.w)
	for y := range guide.h {
		row := out.v[y*guide.w : (y+1)*guide.w]
		shifts.row(row, y)
		slopes.row(slope, y)
		for x, g := range guide.v[y*guide.w : (y+1)*guide.w] {
			row[x] += slope[x] * g
		}
	}
	return out
}
