package losses

import (
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// Prototypes writes the positive keys: row c of dst [C,D] receives the mean of
// the features at positions labelled c, ℓ2-normalised, and present[c] whether
// there is one. features are planar [N,D,h,w], labels [N,h,w] with every id
// below C or void. Rows of absent classes are set to 0; a class whose mean is 0
// has no direction and counts as absent. Features that are not finite are an
// error, which names the class.
func Prototypes(dst []float32, present []bool, features []float32, labels []uint8, images, width int) error {
	classes := len(present)
	var p prototyper
	p.init(classes, width, len(labels))
	if len(dst) != classes*width || len(features) != len(labels)*width || images < 1 || len(labels)%images != 0 {
		return fmt.Errorf("losses: prototypes: %d features and %d labels do not fill %d images of width %d", len(features), len(labels), images, width)
	}
	if err := p.fill(dst, present, features, labels, images); err != nil {
		return fmt.Errorf("losses: prototypes: %w", err)
	}
	return nil
}

// run is a stretch of equal labels within one image.
type run struct {
	class      int32
	start, end int32 // positions in the image
}

// maxRun bounds a run, so that its sum loses nothing in float32.
const maxRun = 256

// prototyper holds the scratch memory of Prototypes.
type prototyper struct {
	width  int
	runs   []run
	counts []int
	sums   []float64 // [C,D]
}

func (p *prototyper) init(classes, width, positions int) {
	*p = prototyper{
		width: width, runs: make([]run, 0, positions),
		counts: make([]int, classes), sums: make([]float64, classes*width),
	}
}

// fill does the work of Prototypes.
func (p *prototyper) fill(dst []float32, present []bool, features []float32, labels []uint8, images int) error {
	clear(p.sums)
	clear(p.counts)
	if err := p.add(features, labels, images); err != nil {
		return err
	}
	return p.normalise(dst, present)
}

// add counts positions and adds their features up. Labels come in stretches of equal
// ones, so it goes stretch by stretch through four planes at a time: sequential reads, and
// no scattered additions.
func (p *prototyper) add(features []float32, labels []uint8, images int) error {
	area := len(labels) / images
	for n := range images {
		if err := p.findRuns(labels[n*area : (n+1)*area]); err != nil {
			return err
		}
		planes := features[n*p.width*area : (n+1)*p.width*area]
		d := 0
		for ; d+4 <= p.width; d += 4 {
			p.addFour(d, planes[d*area:(d+4)*area], area)
		}
		for ; d < p.width; d++ {
			p.addOne(d, planes[d*area:(d+1)*area])
		}
	}
	return nil
}

func (p *prototyper) findRuns(labels []uint8) error {
	p.runs = p.runs[:0]
	for start := 0; start < len(labels); {
		label, end := labels[start], start+1
		for end < len(labels) && labels[end] == label && end < start+maxRun {
			end++
		}
		switch {
		case int(label) < len(p.counts):
			p.counts[label] += end - start
			p.runs = append(p.runs, run{int32(label), int32(start), int32(end)})
		case label != raster.Void:
			return labelError(label, len(p.counts))
		}
		start = end
	}
	return nil
}

func (p *prototyper) addFour(d int, planes []float32, area int) {
	p0, p1, p2, p3 := planes[:area], planes[area:2*area], planes[2*area:3*area], planes[3*area:4*area]
	for _, r := range p.runs {
		a, b, c, e := p0[r.start:r.end], p1[r.start:r.end], p2[r.start:r.end], p3[r.start:r.end]
		b, c, e = b[:len(a)], c[:len(a)], e[:len(a)] // spares the bounds checks
		var s0, s1, s2, s3 float32
		for i, v := range a {
			s0 += v
			s1 += b[i]
			s2 += c[i]
			s3 += e[i]
		}
		sums := p.sums[int(r.class)*p.width+d:][:4]
		sums[0] += float64(s0)
		sums[1] += float64(s1)
		sums[2] += float64(s2)
		sums[3] += float64(s3)
	}
}

func (p *prototyper) addOne(d int, plane []float32) {
	for _, r := range p.runs {
		var s float32
		for _, v := range plane[r.start:r.end] {
			s += v
		}
		p.sums[int(r.class)*p.width+d] += float64(s)
	}
}

// normalise writes the sums at unit length: the mean's length does not matter.
func (p *prototyper) normalise(dst []float32, present []bool) error {
	for c, count := range p.counts {
		row, sum := dst[c*p.width:(c+1)*p.width], p.sums[c*p.width:(c+1)*p.width]
		var square float64
		for _, v := range sum {
			square += v * v
		}
		if math.IsNaN(square) || math.IsInf(square, 0) {
			return fmt.Errorf("the features of class %d are not finite", c)
		}
		norm := math.Sqrt(square)
		present[c] = norm > 1e-6*float64(count) // unit features: a shorter mean is rounding
		for i, v := range sum {
			if present[c] {
				row[i] = float32(v / norm)
			} else {
				row[i] = 0
			}
		}
	}
	return nil
}

// key is one feature vector to fetch: from a flat position to a row.
type key struct{ position, row int32 }

// gatherer fetches feature vectors from planar maps.
type gatherer struct {
	width, area int
	sorted      []key
	starts      []int32 // [N·h·w+1]
}

func newGatherer(images, width, area, most int) gatherer {
	return gatherer{
		width: width, area: area,
		sorted: make([]key, most), starts: make([]int32, images*area+1),
	}
}

// gatherPlanes is how many planes are read at once: 16 float32 are one cache
// line of the destination row.
const gatherPlanes = 16

// fetch copies the features [N,D,h,w] at every key's position to row key.row of
// dst [..,D]. A vector's elements lie h·w apart, so keys
// are first sorted by position (a counting sort): then each plane is read once,
// in order, and every cache line of it serves all keys that fall into it.
func (g *gatherer) fetch(dst, features []float32, keys []key) {
	sorted := g.sort(keys)
	for len(sorted) > 0 {
		image := int(sorted[0].position) / g.area
		end := 0
		for end < len(sorted) && int(sorted[end].position) < (image+1)*g.area {
			end++
		}
		planes := features[image*g.width*g.area : (image+1)*g.width*g.area]
		for d := 0; d < g.width; d += gatherPlanes {
			g.fetchPlanes(dst, planes, sorted[:end], image*g.area, d)
		}
		sorted = sorted[end:]
	}
}

// fetchPlanes copies planes d … d+gatherPlanes−1 (fewer at the end) of one
// image, whose first flat position is first.
func (g *gatherer) fetchPlanes(dst, planes []float32, keys []key, first, d int) {
	count := min(gatherPlanes, g.width-d)
	planes = planes[d*g.area:]
	for _, k := range keys {
		at := int(k.row)*g.width + d
		out := dst[at : at+count]
		i := int(k.position) - first
		for j := range out {
			out[j] = planes[i]
			i += g.area
		}
	}
}

// sort returns the keys by ascending position.
func (g *gatherer) sort(keys []key) []key {
	clear(g.starts)
	for _, k := range keys {
		g.starts[k.position+1]++
	}
	for i := 1; i < len(g.starts); i++ {
		g.starts[i] += g.starts[i-1]
	}
	for _, k := range keys {
		g.sorted[g.starts[k.position]] = k
		g.starts[k.position]++
	}
	return g.sorted[:len(keys)]
}
