package pngrows

import (
	"encoding/binary"
	mathbits "math/bits"
)

// Whoever calls inflate pads both buffers by so many bytes, which lets its loop
// read and write whole words without looking at the ends each time.
const (
	srcPadding = 24  // two refills of 8 bytes from at most 8 bytes beyond the end
	dstPadding = 288 // a turn writes at most 9 literals, or 6 and a match of 258 bytes in words of 8
)

// inflater decompresses deflate streams (RFC 1951) from memory to memory. It
// keeps its tables for the next stream; the zero value is ready for use.
//
// It is made for photographs: streams of mostly literals with short codes, of
// which one look-up yields up to three.
type inflater struct {
	src  []byte
	size int    // of the stream in src
	pos  int    // of the next byte of src to go into bits
	bits uint64 // bits read ahead, the next one lowest; above the nth, what src[pos] continues with
	n    uint   // number of bits read ahead

	literals  table // of literals and lengths
	distances table
	codes     table // of the code lengths in a block's head
	lengths   [maxLiterals + maxDistances]uint8
}

// inflate decompresses the stream at the start of src[:size] into dst[:want] and
// returns how many bytes that gave and how many it used. Behind those parts lie
// srcPadding and dstPadding bytes.
func (z *inflater) inflate(dst []byte, want int, src []byte, size int) (at, used int, err error) {
	z.src, z.size, z.pos, z.bits, z.n = src[:size+srcPadding], size, 0, 0, 0
	defer func() { z.src = nil }()
	clear(z.src[size:])
	dst = dst[:want+dstPadding]
	for last := false; !last; {
		z.refill()
		last = z.take(1) == 1
		switch kind := z.take(2); kind {
		case 0:
			at, err = z.stored(dst[:want], at)
		case 1, 2:
			if err = z.readCodes(kind == 2); err == nil {
				at, err = z.block(dst, at)
			}
		default:
			err = errData
		}
		switch {
		case z.consumed() > size: // what was read is padding
			return at, size, errTooFew
		case err != nil:
			return at, z.consumed(), err
		case at > want:
			return want, z.consumed(), errTooMany
		}
	}
	return at, z.consumed(), nil
}

// refill reads ahead to at least 56 bits. Beyond the end it reads zeros, after
// which consumed is beyond the end as well.
func (z *inflater) refill() {
	z.pos = min(z.pos, z.size+8)
	z.bits |= binary.LittleEndian.Uint64(z.src[z.pos:]) << (z.n & 63)
	z.pos += int((63 - z.n) >> 3)
	z.n |= 56
}

// take returns the next n of the bits read ahead.
func (z *inflater) take(n uint) uint {
	v := uint(z.bits & (1<<(n&63) - 1))
	z.bits >>= n & 63
	z.n -= n
	return v
}

// consumed returns how many bytes of src were used, the current one included.
func (z *inflater) consumed() int { return z.pos - int(z.n>>3) }

// stored copies a block that is not compressed.
func (z *inflater) stored(dst []byte, at int) (int, error) {
	pos := z.consumed()
	if pos > z.size-4 {
		return at, errTooFew
	}
	n := binary.LittleEndian.Uint16(z.src[pos:])
	if n != ^binary.LittleEndian.Uint16(z.src[pos+2:]) {
		return at, errData
	}
	pos += 4
	if int(n) > z.size-pos {
		return at, errTooFew
	}
	if int(n) > len(dst)-at {
		return at, errTooMany
	}
	at += copy(dst[at:], z.src[pos:pos+int(n)])
	z.pos, z.bits, z.n = pos+int(n), 0, 0
	return at, nil
}

// block decompresses one block with the current codes, to dst[at:].
func (z *inflater) block(dst []byte, at int) (int, error) {
	src, pos, bits, n := z.src, z.pos, z.bits, uint32(z.n)
	literals, distances := &z.literals, &z.distances
	for len(dst)-at >= dstPadding && len(src)-pos >= 2*8 {
		bits |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos += int((63 - n&63) >> 3)
		n |= 56

		// Up to four look-ups use 10 bits each of the 56.
		e := literals[bits&primaryMask]
		if e&kindMask == kindLiterals {
			binary.LittleEndian.PutUint32(dst[at:], mathbits.RotateLeft32(e, -8))
			at += int(e >> 6 & 3)
			bits >>= e & 15
			n -= e & 15
			e = literals[bits&primaryMask]
			if e&kindMask == kindLiterals {
				binary.LittleEndian.PutUint32(dst[at:], mathbits.RotateLeft32(e, -8))
				at += int(e >> 6 & 3)
				bits >>= e & 15
				n -= e & 15
				e = literals[bits&primaryMask]
			}
		}
		if e&kindMask == kindLink {
			e = literals.follow(e, bits)
		}
		bits >>= e & 15
		n -= e & 15
		if e&kindMask == kindLiterals {
			binary.LittleEndian.PutUint32(dst[at:], mathbits.RotateLeft32(e, -8))
			at += int(e >> 6 & 3)
			continue
		}
		if e&kindMask != kindCopy {
			z.pos, z.bits, z.n = pos, bits, uint(n)
			if e != endOfBlock|e&15 {
				return at, errData
			}
			return at, nil
		}
		extra := e >> 8 & 15
		length := int(e>>16) + int(bits&(1<<extra-1))
		bits >>= extra
		n -= extra

		bits |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos += int((63 - n&63) >> 3)
		n |= 56
		e = distances[bits&primaryMask]
		if e&kindMask == kindLink {
			e = distances.follow(e, bits)
		}
		bits >>= e & 15
		n -= e & 15
		extra = e >> 8 & 15
		distance := int(e>>16) + int(bits&(1<<extra-1))
		bits >>= extra
		n -= extra
		if e&kindMask != kindCopy || distance > at {
			return at, errData
		}
		to := dst[at:]
		at += length
		if distance < 8 {
			repeat(to, dst[at-length-distance:at-length], length)
			continue
		}
		from := dst[at-length-distance:]
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
		binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
		for i := 16; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
		}
	}
	if len(src)-pos >= 2*8 {
		return at, errTooMany
	}
	return at, errTooFew
}

// repeat writes the pattern, of less than 8 bytes, over and over until it has
// filled dst[:length], and up to 7 bytes more.
func repeat(dst, pattern []byte, length int) {
	var word [8]byte
	for i := range word {
		word[i] = pattern[i%len(pattern)]
	}
	w := binary.LittleEndian.Uint64(word[:])
	step := 8 - 8%len(pattern)
	for i := 0; i < length; i += step {
		binary.LittleEndian.PutUint64(dst[i:], w)
	}
}
