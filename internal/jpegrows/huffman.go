package jpegrows

import "encoding/binary"

// lookBits is the length of the codes that one look into a table decodes.
const lookBits = 9

// huffman is a code (T.81, annex C).
type huffman struct {
	look    [1 << lookBits]uint16 // length<<8 | symbol of the code that these bits begin with; 0: a longer one
	max     [18]int32             // the largest code of each length; -1: none
	first   [17]int32             // what to add to a code of each length for its place in symbols
	symbols []byte
}

// parseHuffman reads one table from a DHT segment and returns the rest.
func parseHuffman(b []byte) (class, id int, h *huffman, rest []byte, err error) {
	if len(b) < 17 {
		return 0, 0, nil, nil, malformed("a Huffman table that is too short")
	}
	class, id = int(b[0]>>4), int(b[0]&15)
	total := 0
	for _, n := range b[1:17] {
		total += int(n)
	}
	if class > 1 || id > 3 || total == 0 || total > 256 || len(b) < 17+total {
		return 0, 0, nil, nil, malformed("a Huffman table that contradicts itself")
	}
	h = &huffman{symbols: append([]byte(nil), b[17:17+total]...)}
	code, at := int32(0), 0
	for length := 1; length <= 16; length++ {
		n := int(b[length])
		h.first[length] = int32(at) - code
		h.max[length] = -1
		for range n {
			if code >= 1<<length {
				return 0, 0, nil, nil, malformed("a Huffman table with more codes than there are")
			}
			if length <= lookBits {
				fill := h.look[code<<(lookBits-length) : (code+1)<<(lookBits-length)]
				for i := range fill {
					fill[i] = uint16(length)<<8 | uint16(h.symbols[at])
				}
			}
			h.max[length] = code
			code++
			at++
		}
		code <<= 1
	}
	return class, id, h, b[17+total:], nil
}

// long decodes a code of more than lookBits, of which acc begins with. Length 17
// stands for bits that are no code.
func (h *huffman) long(acc uint64) (symbol byte, length uint) {
	for n := lookBits + 1; n <= 16; n++ {
		if code := int32(acc >> (64 - n)); code <= h.max[n] {
			return h.symbols[h.first[n]+code], uint(n)
		}
	}
	return 0, 17
}

// bits reads entropy-coded data: the n bits that acc begins with are next. At a
// marker or the end it goes on with zeros, which pad counts.
type bits struct {
	data []byte
	at   int // in data
	acc  uint64
	n    uint
	pad  uint
	bad  bool // a code was met that the table lacks
}

// reset begins at a place in the data.
func (b *bits) reset(at int) { b.at, b.acc, b.n, b.pad = at, 0, 0, 0 }

// fill makes sure of 56 bits at least. Bits of acc behind the first n are those of
// bytes to come, or 0.
func (b *bits) fill() {
	if b.at+8 <= len(b.data) {
		v := binary.BigEndian.Uint64(b.data[b.at:])
		const ones, tops = 0x0101010101010101, 0x8080808080808080
		if (^v-ones)&v&tops == 0 { // no byte is 0xff, which would begin a marker or be stuffed
			b.acc |= v >> b.n
			b.at += int(63-b.n) >> 3
			b.n |= 56
			return
		}
	}
	for b.n <= 56 {
		c, ok := b.next()
		if !ok {
			b.pad += 8
		}
		b.acc |= uint64(c) << (56 - b.n)
		b.n += 8
	}
}

// next returns the next byte of entropy-coded data, false before a marker and at
// the end.
func (b *bits) next() (byte, bool) {
	if b.at >= len(b.data) {
		return 0, false
	}
	c := b.data[b.at]
	if c == 0xff {
		if b.at+1 >= len(b.data) || b.data[b.at+1] != 0 {
			return 0, false
		}
		b.at++
	}
	b.at++
	return c, true
}

// check returns an error when more has been read than there was, or what is no
// code.
func (b *bits) check() error {
	switch {
	case b.bad:
		return malformed("bits that are no Huffman code")
	case b.n < b.pad && b.at >= len(b.data):
		return errEnd
	case b.n < b.pad:
		return malformed("too few bits before a marker")
	}
	return nil
}

// take returns the next n bits, 0 to 16.
func (b *bits) take(n uint) int32 {
	if b.n < n {
		b.fill()
	}
	v := int32(b.acc >> 1 >> (63 - n))
	b.acc <<= n
	b.n -= n
	return v
}

// symbol decodes one, and leaves at least 32 bits.
func (b *bits) symbol(h *huffman) byte {
	if b.n < 48 {
		b.fill()
	}
	if e := h.look[b.acc>>(64-lookBits)]; e != 0 {
		b.acc <<= e >> 8
		b.n -= uint(e >> 8)
		return byte(e)
	}
	symbol, n := h.long(b.acc)
	if n > 16 {
		b.bad = true
		return 0
	}
	b.acc <<= n
	b.n -= n
	return symbol
}

// extend returns a number of n bits, 1 to 16 (T.81, F.2.2.1).
func (b *bits) extend(n uint) int32 {
	v := b.take(n)
	if v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}
