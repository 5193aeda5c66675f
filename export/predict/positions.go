package predict

import (
	"math"
	"slices"

	"t2sda/internal/raster"
)

// positions are logits at the positions of a grid, of which few are looked at.
type positions interface {
	// row returns the class with the largest logit per column of row y. It is valid, and
	// the row may be looked at, until row y+2 is asked for.
	row(y int) []uint8
	// look turns to a cell between two columns and two rows, which may be the same one.
	look(column, row span)
	// around returns a class's logits at the corners of that cell.
	around(class uint8) corners
	// reach appends the classes whose logits may be as high as bound at one of them.
	reach(to []uint8, bound float32) []uint8
}

// corners are a class's logits around a cell.
type corners struct {
	class                                      uint8
	topLeft, topRight, bottomLeft, bottomRight float32
}

// band is the positions of a map of logits. It holds the rows that are looked at, a position's
// logits side by side: in the map itself they often are a power of two apart, where they drive
// each other out of the processor's caches.
type band struct {
	m     logitMap
	rows  [3]bandRow // two, and one for two rows of an enlargement that lie between three
	fault error      // of the first row that is broken
	cell  quad       // that is looked at
}

// quad is the logits [C] of four positions of a band, of two columns and two rows.
type quad struct{ topLeft, topRight, bottomLeft, bottomRight []float32 }

// bandRow is a row of logits with its classes.
type bandRow struct {
	y      int
	values []float32 // [W,C]
	best   []float32 // [W]
	ids    []uint8   // the class with the largest logit
}

func newBand(m logitMap) *band {
	b := &band{m: m}
	for i := range b.rows {
		b.rows[i] = bandRow{y: -1, values: make([]float32, m.w*m.c), best: make([]float32, m.w), ids: make([]uint8, m.w)}
	}
	return b
}

func (b *band) held(y int) *bandRow { return &b.rows[y%len(b.rows)] }

func (b *band) row(y int) []uint8 {
	r := b.held(y)
	if r.y == y {
		return r.ids
	}
	r.y = y
	for c := range b.m.c {
		row, best, ids := b.m.pix[(c*b.m.h+y)*b.m.w:][:b.m.w], r.best[:b.m.w], r.ids[:b.m.w]
		values := r.values[c:]
		if c == 0 {
			copy(best, row)
			clear(ids)
		}
		for x, v := range row {
			values[x*b.m.c] = v
			if v > best[x] {
				best[x], ids[x] = v, uint8(c)
			}
		}
	}
	if b.fault == nil {
		b.fault = b.m.broken(r.best, y)
	}
	return r.ids
}

// at returns a position's logits.
func (b *band) at(x, y int) []float32 { return b.held(y).values[x*b.m.c:][:b.m.c] }

func (b *band) quad(left, right, top, bottom int) quad {
	return quad{b.at(left, top), b.at(right, top), b.at(left, bottom), b.at(right, bottom)}
}

func (b *band) look(column, row span) { b.cell = b.quad(column.lo, column.hi, row.lo, row.hi) }

func (b *band) around(class uint8) corners {
	q := &b.cell
	return corners{class, q.topLeft[class], q.topRight[class], q.bottomLeft[class], q.bottomRight[class]}
}

func (b *band) reach(to []uint8, bound float32) []uint8 { return b.cell.reach(to, bound) }

// reach appends the classes whose logits are as high as bound somewhere.
func (q *quad) reach(to []uint8, bound float32) []uint8 {
	x, y, z := q.topRight[:len(q.topLeft)], q.bottomLeft[:len(q.topLeft)], q.bottomRight[:len(q.topLeft)]
	for c, v := range q.topLeft {
		if v >= bound || x[c] >= bound || y[c] >= bound || z[c] >= bound {
			to = append(to, uint8(c))
		}
	}
	return to
}

// enlarged is the positions that a model's last step makes of a map, see [weights].
type enlarged struct {
	source        *band
	columns, rows []tap
	between       []span // rows of the source, with the rows that lie between them
	spans         []int  // per row: of between
	painted       int    // of between, what cells holds; -1: nothing
	cells         *cells
	held          [2]struct {
		y   int
		ids []uint8
	}

	corner [4]place // of the cell that is looked at
	inside bool     // all four lie in one of the source's cells
}

func newEnlarged(m logitMap, source *band) *enlarged {
	e := &enlarged{source: source, columns: placed(m.w, m.larger.W), rows: placed(m.h, m.larger.H), painted: -1}
	e.cells = newCells(source, e.columns)
	e.cells.products = true
	e.between = spans(e.rows)
	for i, s := range e.between {
		for range s.taps {
			e.spans = append(e.spans, i)
		}
	}
	for i := range e.held {
		e.held[i].y, e.held[i].ids = -1, make([]uint8, m.larger.W)
	}
	return e
}

func (e *enlarged) row(y int) []uint8 {
	r := &e.held[y%len(e.held)]
	if r.y == y {
		return r.ids
	}
	if k := e.spans[y]; k != e.painted {
		e.cells.paint(e.between[k])
		e.painted = k
	}
	e.cells.label(e.rows[y], r.ids)
	r.y = y
	return r.ids
}

func (e *enlarged) look(column, row span) {
	left, right, top, bottom := e.columns[column.lo], e.columns[column.hi], e.rows[row.lo], e.rows[row.hi]
	e.inside = left.lo == right.lo && top.lo == bottom.lo
	e.corner[0].lie(e.source, left, top)
	e.corner[1].lie(e.source, right, top)
	e.corner[2].lie(e.source, left, bottom)
	e.corner[3].lie(e.source, right, bottom)
}

func (e *enlarged) around(class uint8) corners {
	k := &e.corner
	return corners{class, k[0].of(class), k[1].of(class), k[2].of(class), k[3].of(class)}
}

// reach asks for what lies around: no position is above all that it lies between, by more than
// what rounding adds.
func (e *enlarged) reach(to []uint8, bound float32) []uint8 {
	const rounding = 1e-6
	bound -= rounding * float32(math.Abs(float64(bound)))
	first, last := &e.corner[0], &e.corner[3]
	if e.inside {
		return first.reach(to, bound)
	}
	right, bottom := e.corner[1].topRight, e.corner[2].bottomLeft
	for c, v := range first.topLeft { // of positions in three columns or three rows
		if v >= bound || first.topRight[c] >= bound || first.bottomLeft[c] >= bound || first.bottomRight[c] >= bound || right[c] >= bound ||
			bottom[c] >= bound || last.topRight[c] >= bound || last.bottomLeft[c] >= bound || last.bottomRight[c] >= bound {
			to = append(to, uint8(c))
		}
	}
	return to
}

// place is a position between four of a band.
type place struct {
	weights weights
	quad
}

func (p *place) lie(b *band, column, row tap) {
	p.weights, p.quad = row.weights(column), b.quad(column.lo, column.hi, row.lo, row.hi)
}

func (p *place) of(class uint8) float32 {
	return p.weights.mix(p.topLeft[class], p.topRight[class], p.bottomLeft[class], p.bottomRight[class])
}

// cells are what lies between neighbouring positions of two rows, where labels are wanted.
type cells struct {
	of       positions
	columns  []span
	products bool // interpolation is ONNX Runtime's

	first   []uint8   // a row of the labels of cells that have a single one
	borders []border  // the other cells
	corners []corners // theirs, one after the other
	best    []float32 // of the pixels of a cell
	ids     []uint8   // classes that may win in a cell
}

// border is a cell between positions whose largest classes are not all the same.
type border struct {
	span
	contenders [2]int // the classes that may win in it, of cells.corners: from, to
}

func newCells(of positions, columns []tap) *cells {
	n := len(columns)
	return &cells{of: of, columns: spans(columns), first: make([]uint8, n), best: make([]float32, n)}
}

// paint looks at the cells between two rows.
func (c *cells) paint(row span) {
	c.borders, c.corners = c.borders[:0], c.corners[:0]
	top, bottom := c.of.row(row.lo), c.of.row(row.hi)
	for k := 0; k < len(c.columns); k++ {
		column := c.columns[k]
		id := top[column.lo]
		if n := c.alike(k, top, bottom); n > 0 {
			last := c.columns[k+n-1]
			fill(c.first[column.from:last.from+len(last.taps)], id)
			k += n - 1
			continue
		}
		if id != top[column.hi] || id != bottom[column.lo] || id != bottom[column.hi] {
			c.border(row, column, [4]uint8{id, top[column.hi], bottom[column.lo], bottom[column.hi]})
			continue
		}
		fill(c.first[column.from:column.from+len(column.taps)], id)
	}
}

// alike returns how many columns from k on have a single class, where all that an octet of positions
// lies between does, or 0.
func (c *cells) alike(k int, top, bottom []uint8) int {
	const others = raster.Octet - 1
	from := c.columns[k].lo
	if k+others >= len(c.columns) || from+others >= len(top) || c.columns[k+others-1].hi != from+others {
		return 0
	}
	if !raster.Uniform(top[from:]) || !raster.Uniform(bottom[from:]) || top[from] != bottom[from] {
		return 0
	}
	return others
}

func fill(ids []uint8, id uint8) {
	for x := range ids {
		ids[x] = id
	}
}

// border notes a cell and the classes that are not everywhere below one of those that are the largest
// at its corners, by the argument of [logitMap.argmaxAt]: few of many.
func (c *cells) border(row, column span, largest [4]uint8) {
	c.of.look(column, row)
	bound := float32(math.Inf(-1)) // what some class has at all corners
	for i, id := range largest {
		if slices.Contains(largest[:i], id) {
			continue
		}
		k := c.of.around(id)
		if least := min(k.topLeft, k.topRight, k.bottomLeft, k.bottomRight); least > bound { // NaN is not
			bound = least
		}
	}
	from := len(c.corners)
	c.ids = c.of.reach(c.ids[:0], bound)
	for _, id := range c.ids {
		if k := c.of.around(id); k.topLeft >= bound || k.topRight >= bound || k.bottomLeft >= bound || k.bottomRight >= bound {
			c.corners = append(c.corners, k)
		}
	}
	c.borders = append(c.borders, border{column, [2]int{from, len(c.corners)}})
}

// label fills a row of labels between the rows that were painted.
func (c *cells) label(row tap, ids []uint8) {
	copy(ids, c.first)
	for _, b := range c.borders {
		ids := ids[b.from:][:len(b.taps)]
		contenders := c.corners[b.contenders[0]:b.contenders[1]]
		if c.products {
			c.labelByProducts(row, b.taps, contenders, ids)
			continue
		}
		for n, k := range contenders {
			left, right := row.mix(k.topLeft, k.bottomLeft), row.mix(k.topRight, k.bottomRight)
			for i, column := range b.taps {
				c.try(n, i, column.mix(left, right), k.class, ids)
			}
		}
	}
}

func (c *cells) labelByProducts(row tap, columns []tap, contenders []corners, ids []uint8) {
	for i, column := range columns {
		w := row.weights(column)
		for n, k := range contenders {
			c.try(n, i, w.mix(k.topLeft, k.topRight, k.bottomLeft, k.bottomRight), k.class, ids)
		}
	}
}

// try gives pixel i the class of its n-th contender if that has the largest logit so far. Minus
// infinity of a masked class is NaN where its weight is 0, and no class then.
func (c *cells) try(n, i int, v float32, class uint8, ids []uint8) {
	if best := c.best[i]; n == 0 || v > best || best != best {
		c.best[i], ids[i] = v, class
	}
}
