package jpegrows

// band is the part of the coefficients that a progressive scan brings (T.81, G.1.1):
// places from–to in the order of the file, bits from low on. first: none of them
// were known before.
type band struct {
	from, to int
	low      uint
	first    bool
}

// scan reads the scan that a header begins.
func (d *decoder) scan(b []byte) error {
	if d.comps == nil {
		return malformed("pixels before the frame header")
	}
	if len(b) < 1 || len(b) != 4+2*int(b[0]) || b[0] < 1 || b[0] > 4 {
		return malformed("a scan header that contradicts itself")
	}
	comps, err := d.selected(b[1 : len(b)-3])
	if err != nil {
		return err
	}
	tail := b[len(b)-3:]
	part := band{from: int(tail[0]), to: int(tail[1]), low: uint(tail[2] & 15), first: tail[2]>>4 == 0}
	if !d.progressive {
		part = band{to: 63, first: true}
	}
	decode, err := d.blockDecoder(part, comps)
	if err != nil {
		return err
	}
	if d.progressive {
		for _, c := range comps {
			if !c.takes(part) {
				return malformed("a progressive scan that brings what another one has brought")
			}
		}
	}
	if len(comps) == 1 {
		return d.single(comps[0], decode)
	}
	return d.interleaved(comps, decode)
}

// blockDecoder returns what decodes block k of a component in this scan.
func (d *decoder) blockDecoder(part band, comps []*component) (func(c *component, k int), error) {
	needDC, needAC := part.from == 0 && part.first, part.to > 0
	for _, c := range comps {
		if needDC && c.dcTab == nil || needAC && c.acTab == nil {
			return nil, malformed("a scan without its Huffman table")
		}
	}
	switch {
	case !d.progressive:
		return d.sequential, nil
	case part.to > 63 || part.from > part.to || part.low > 13 || part.from == 0 && part.to != 0 || part.from > 0 && len(comps) > 1:
		return nil, malformed("a progressive scan that contradicts itself")
	case part.from == 0 && part.first:
		return func(c *component, k int) { d.dcFirst(c, k, part.low) }, nil
	case part.from == 0:
		return func(c *component, k int) { d.dcRefine(c, k, part.low) }, nil
	case part.first:
		return func(c *component, k int) { d.acFirst(&c.coeffs[k], c.acTab, part) }, nil
	}
	return func(c *component, k int) { d.acRefine(&c.coeffs[k], c.acTab, part) }, nil
}

// takes notes what a scan brings, and reports whether none has brought it. A scan of a few bytes may
// speak of all of a picture, so that many of the same would take time without end.
func (c *component) takes(part band) bool {
	bits := uint16(1) << part.low
	if part.first {
		bits = ^(bits - 1)
	}
	for at := part.from; at <= part.to; at++ {
		if c.brought[at]&bits != 0 {
			return false
		}
		c.brought[at] |= bits
	}
	return true
}

// single reads a scan of one component: its units are blocks, and only those that
// hold samples are there (T.81, A.2.2).
func (d *decoder) single(c *component, decode func(c *component, k int)) error {
	d.begin()
	for y := range c.realY {
		for x := range c.realX {
			if err := d.restart(y*c.realX+x, c); err != nil {
				return err
			}
			decode(c, y*c.blocksX+x)
		}
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// interleaved reads a scan of several components: a unit has h×v blocks of each.
func (d *decoder) interleaved(comps []*component, decode func(c *component, k int)) error {
	blocks := 0
	for _, c := range comps {
		blocks += c.h * c.v
	}
	if blocks > 10 {
		return malformed("sampling factors out of range")
	}
	d.begin()
	unitsX, unitsY := ceil(d.w, 8*d.hmax), ceil(d.h, 8*d.vmax)
	for y := range unitsY {
		for x := range unitsX {
			if err := d.restart(y*unitsX+x, comps...); err != nil {
				return err
			}
			for _, c := range comps {
				for v := range c.v {
					for h := range c.h {
						decode(c, (y*c.v+v)*c.blocksX+x*c.h+h)
					}
				}
			}
		}
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) begin() {
	d.reset(d.at)
	d.eobRun = 0
}

// restart begins anew before every interval's first unit but the scan's.
func (d *decoder) restart(unit int, comps ...*component) error {
	if d.interval == 0 || unit == 0 || unit%d.interval != 0 {
		return nil
	}
	if err := d.check(); err != nil {
		return err
	}
	want := markRST0 + byte((unit/d.interval-1)%8)
	switch mark, err := nextMarker(d); {
	case err != nil:
		return err
	case mark != want:
		return malformed("a restart marker is missing")
	}
	d.begin()
	for _, c := range comps {
		c.lastDC = 0
	}
	return nil
}

// sequential decodes a block whole and writes its samples.
func (d *decoder) sequential(c *component, k int) {
	var coeffs [64]int16
	c.lastDC += d.difference(c.dcTab)
	coeffs[0] = int16(c.lastDC)
	more := false
	for at := 1; at < 64; at++ {
		s := d.symbol(c.acTab)
		at += int(s >> 4)
		n := uint(s & 15)
		if n == 0 {
			if s != 0xf0 { // the rest is 0; else 16 zeros
				break
			}
			continue
		}
		if v := d.extend(n); at < 64 {
			coeffs[zigzag[at]] = int16(v)
			more = true
		}
	}
	to := c.pix[8*(k/c.blocksX*c.stride+k%c.blocksX):]
	if more {
		inverse(to, c.stride, &coeffs, c.quant)
	} else {
		flat(to, c.stride, int32(coeffs[0])*c.quant[0])
	}
}

// difference decodes how a first coefficient differs from that before it.
func (d *decoder) difference(h *huffman) int32 {
	n := uint(d.symbol(h))
	switch {
	case n == 0:
		return 0
	case n > 16:
		d.bad = true
		return 0
	}
	return d.extend(n)
}

func (d *decoder) dcFirst(c *component, k int, low uint) {
	c.lastDC += d.difference(c.dcTab)
	c.coeffs[k][0] = int16(c.lastDC << low)
}

func (d *decoder) dcRefine(c *component, k int, low uint) {
	c.coeffs[k][0] |= int16(d.take(1) << low)
}

// endRun decodes for how many blocks, this one included, the rest of the band is 0.
func (d *decoder) endRun(r uint) int { return 1<<r + int(d.take(r)) }

// acFirst: T.81, G.1.2.2.
func (d *decoder) acFirst(coeffs *[64]int16, h *huffman, part band) {
	if d.eobRun > 0 {
		d.eobRun--
		return
	}
	for at := part.from; at <= part.to; at++ {
		s := d.symbol(h)
		r, n := s>>4, uint(s&15)
		if n == 0 && r < 15 {
			d.eobRun = d.endRun(uint(r)) - 1
			return
		}
		at += int(r)
		if n == 0 {
			continue
		}
		if v := d.extend(n); at <= part.to {
			coeffs[zigzag[at]] = int16(v << part.low)
		}
	}
}

// acRefine: T.81, G.1.2.3. Coefficients that are not 0 have one more bit each,
// between the new ones.
func (d *decoder) acRefine(coeffs *[64]int16, h *huffman, part band) {
	bit := int16(1) << part.low
	at := part.from
	for d.eobRun == 0 && at <= part.to {
		s := d.symbol(h)
		r, value := int(s>>4), int16(0)
		switch {
		case s&15 != 0:
			if value = -bit; d.take(1) == 1 {
				value = bit
			}
		case r < 15:
			d.eobRun = d.endRun(uint(r))
		}
		if d.eobRun > 0 {
			break
		}
		at = d.refine(coeffs, at, part.to, r, bit)
		if at <= part.to && value != 0 {
			coeffs[zigzag[at]] = value
		}
		at++
	}
	if d.eobRun > 0 {
		d.refine(coeffs, at, part.to, 64, bit)
		d.eobRun--
	}
}

// refine reads the next bit of coefficients that are not 0, from place at on, and
// stops at the zero that zeros others come before.
func (d *decoder) refine(coeffs *[64]int16, at, to, zeros int, bit int16) int {
	for ; at <= to; at++ {
		c := &coeffs[zigzag[at]]
		switch {
		case *c == 0:
			if zeros == 0 {
				return at
			}
			zeros--
		case d.take(1) == 1 && *c&bit == 0:
			if *c > 0 {
				*c += bit
			} else {
				*c -= bit
			}
		}
	}
	return at
}
