package predict

import (
	"math"
	"slices"
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

// band is the positions of a map of logits. It holds the rows that are looked at close
// together: in the map itself one pixel's classes often are a power of two apart, where
// they drive each other out of the processor's caches.
type band struct {
	m      logitMap
	stride int        // from class to class
	rows   [3]bandRow // two, and one for two rows of an enlargement that lie between three
	fault  error      // of the first row that is broken

	left, right int // of the cell that is looked at
	top, bottom []float32
}

// bandRow is a row of logits with its classes.
type bandRow struct {
	y      int
	values []float32 // [C] rows of the band's stride
	ids    []uint8   // the class with the largest logit
}

func newBand(m logitMap) *band {
	const line = 16 // floats of a cache line
	b := &band{m: m, stride: m.w + line}
	for i := range b.rows {
		b.rows[i] = bandRow{y: -1, values: make([]float32, m.c*b.stride), ids: make([]uint8, m.w)}
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
	best := make([]float32, b.m.w)
	for c := range b.m.c {
		row := r.values[c*b.stride:][:len(best)]
		copy(row, b.m.pix[(c*b.m.h+y)*b.m.w:])
		if c == 0 {
			copy(best, row)
			clear(r.ids)
			continue
		}
		ids := r.ids[:len(best)]
		for x, v := range row {
			if v > best[x] {
				best[x], ids[x] = v, uint8(c)
			}
		}
	}
	if b.fault == nil {
		b.fault = broken(best, y)
	}
	return r.ids
}

func (b *band) look(column, row span) {
	b.left, b.right = column.lo, column.hi
	b.top, b.bottom = b.held(row.lo).values, b.held(row.hi).values
}

func (b *band) around(class uint8) corners {
	l, r := int(class)*b.stride+b.left, int(class)*b.stride+b.right
	return corners{class, b.top[l], b.top[r], b.bottom[l], b.bottom[r]}
}

func (b *band) reach(to []uint8, bound float32) []uint8 {
	for c := range b.m.c {
		l, r := c*b.stride+b.left, c*b.stride+b.right
		if b.top[l] >= bound || b.top[r] >= bound || b.bottom[l] >= bound || b.bottom[r] >= bound {
			to = append(to, uint8(c))
		}
	}
	return to
}

// within appends the classes whose logits are as high as bound somewhere between two columns and
// two rows, which have at most one between them.
func (b *band) within(to []uint8, bound float32, left, right, top, bottom int) []uint8 {
	x, y := (left+right)/2, (top+bottom)/2
	first, middle, last := b.held(top).values, b.held(y).values, b.held(bottom).values
	for c := range b.m.c {
		l, m, r := c*b.stride+left, c*b.stride+x, c*b.stride+right
		if first[l] >= bound || first[r] >= bound || last[l] >= bound || last[r] >= bound ||
			x > left && (first[m] >= bound || last[m] >= bound) ||
			y > top && (middle[l] >= bound || middle[m] >= bound || middle[r] >= bound) {
			to = append(to, uint8(c))
		}
	}
	return to
}

// enlarged is the positions that a model's last step makes of a map: products, sums and
// their order are those of ONNX Runtime.
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

	// Of the cell that is looked at: where its columns and rows lie in the source, and what
	// is made of that.
	left, right, top, bottom tap
	values                   [4][]float32 // two rows for the upper corners, two for the lower ones
	weights                  [4]weights   // of the corners
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
	e.left, e.right, e.top, e.bottom = e.columns[column.lo], e.columns[column.hi], e.rows[row.lo], e.rows[row.hi]
	for i, y := range [4]int{e.top.lo, e.top.hi, e.bottom.lo, e.bottom.hi} {
		e.values[i] = e.source.held(y).values
	}
	e.weights = [4]weights{e.top.weights(e.left), e.top.weights(e.right), e.bottom.weights(e.left), e.bottom.weights(e.right)}
}

func (e *enlarged) around(class uint8) corners {
	from := int(class) * e.source.stride
	leftLo, leftHi, rightLo, rightHi := from+e.left.lo, from+e.left.hi, from+e.right.lo, from+e.right.hi
	a, b, c, d, w := e.values[0], e.values[1], e.values[2], e.values[3], &e.weights
	return corners{
		class,
		w[0].mix(a[leftLo], a[leftHi], b[leftLo], b[leftHi]), w[1].mix(a[rightLo], a[rightHi], b[rightLo], b[rightHi]),
		w[2].mix(c[leftLo], c[leftHi], d[leftLo], d[leftHi]), w[3].mix(c[rightLo], c[rightHi], d[rightLo], d[rightHi]),
	}
}

// reach asks for what lies around: no position is above all that it lies between, by more than
// what rounding adds.
func (e *enlarged) reach(to []uint8, bound float32) []uint8 {
	const rounding = 1e-6
	bound -= rounding * float32(math.Abs(float64(bound)))
	if e.left.lo == e.right.lo && e.top.lo == e.bottom.lo {
		e.source.look(span{lo: e.left.lo, hi: e.left.hi}, span{lo: e.top.lo, hi: e.top.hi})
		return e.source.reach(to, bound)
	}
	return e.source.within(to, bound, e.left.lo, e.right.hi, e.top.lo, e.bottom.hi)
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
	for _, column := range c.columns {
		id := top[column.lo]
		if id != top[column.hi] || id != bottom[column.lo] || id != bottom[column.hi] {
			c.border(row, column, [4]uint8{id, top[column.hi], bottom[column.lo], bottom[column.hi]})
			continue
		}
		for x := column.from; x < column.from+len(column.taps); x++ {
			c.first[x] = id
		}
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
		c.corners = append(c.corners, c.of.around(id))
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
