package pngrows

import "math/bits"

const (
	maxLiterals  = 288 // codes of literals and lengths (the last two only exist in the fixed code)
	maxDistances = 32  // likewise
	maxCode      = 15  // bits

	primaryBits = 10 // of the first look-up; longer codes take a second one
	primaryMask = 1<<primaryBits - 1
	// Each of the secondary tables has 1 << (maxCode-primaryBits) entries, for at
	// least two codes.
	tableSize = 1 << 13
)

// table leads from the next bits of a stream to what they mean. An entry is
//
//	bits 0–3    length of the code in the stream, of all codes in an entry of several literals
//	bits 4–5    kind
//	literals:   bits 6–7 how many (1–3), bits 8–31 the literals
//	copy:       bits 8–11 number of extra bits, bits 16–31 length or distance without them
//	link:       bits 16–31 start of the secondary table
//	other:      endOfBlock, or 0x30 for codes that do not exist
type table [tableSize]uint32

const (
	kindMask     = 3 << 4
	kindLiterals = 0 << 4
	kindCopy     = 1 << 4
	kindLink     = 2 << 4
	kindOther    = 3 << 4
	endOfBlock   = kindOther | 1<<8
)

// follow returns the entry of a code that is longer than primaryBits.
func (t *table) follow(link uint32, bits uint64) uint32 {
	return t[(link>>16+uint32(bits>>primaryBits)&(1<<(maxCode-primaryBits)-1))&(tableSize-1)]
}

// The meaning of the codes (RFC 1951, 3.2.5): entries without length.
var literalMeanings, distanceMeanings = meanings()

func meanings() (literals [maxLiterals]uint32, distances [maxDistances]uint32) {
	for i := range literals {
		literals[i] = kindOther
		if i < 256 {
			literals[i] = kindLiterals | 1<<6 | uint32(i)<<8
		}
	}
	literals[256] = endOfBlock
	base := uint32(3)
	for i := range uint32(28) { // four codes for each number of extra bits, eight for none
		extra := max(i/4, 1) - 1
		literals[257+i] = kindCopy | extra<<8 | base<<16
		base += 1 << extra
	}
	literals[285] = kindCopy | 258<<16
	base = 1
	for i := range uint32(maxDistances) {
		extra := max(i/2, 1) - 1
		distances[i] = kindCopy | extra<<8 | base<<16
		base += 1 << extra
		if i >= 30 {
			distances[i] = kindOther
		}
	}
	return literals, distances
}

// build fills the table with the canonical code whose lengths are given. It
// reports false for lengths that make no code: too many, or too few ones, with
// the exception that a single code may have length 1, and that there may be none.
func (t *table) build(lengths []uint8, meaning []uint32) bool {
	var count, next [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	code, used := 0, 0
	for n := 1; n <= maxCode; n++ {
		code = (code + count[n-1]) << 1
		next[n] = code
		used += count[n] << (maxCode - n)
	}
	single := used == 1<<(maxCode-1) && count[1] == 1
	if used != 1<<maxCode && used != 0 && !single {
		return false
	}
	for i := range t[:1<<primaryBits] {
		t[i] = kindOther | 1
	}
	free := uint32(1 << primaryBits) // start of the next secondary table
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		code := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		e := meaning[symbol] | uint32(n)
		if n <= primaryBits {
			for ; code < 1<<primaryBits; code += 1 << n {
				t[code] = e
			}
			continue
		}
		link := &t[code&primaryMask]
		if *link&kindMask != kindLink {
			*link = kindLink | free<<16
			free += 1 << (maxCode - primaryBits)
		}
		for at := code >> primaryBits; at < 1<<(maxCode-primaryBits); at += 1 << (n - primaryBits) {
			t[*link>>16+uint32(at)] = e
		}
	}
	return true
}

// join puts up to three literals into one entry where their codes fit into it
// together. Entries are taken from the last one down: what follows a code is
// looked up at a smaller index, where there is still one literal.
func (t *table) join() {
	for i := primaryMask; i >= 0; i-- {
		e := t[i]
		if e&kindMask != kindLiterals {
			continue
		}
		for count := uint32(1); count < 3; count++ {
			n := e & 15
			f := t[i>>n]
			if f&kindMask != kindLiterals || f>>6&3 != 1 || n+f&15 > primaryBits {
				break
			}
			e = e&^0xff&^(0xff<<(8+8*count)) | f>>8<<(8+8*count) | (count+1)<<6 | (n + f&15)
		}
		t[i] = e
	}
}

// lengthOrder is the order of the code lengths' own lengths in a block's head.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengthMeanings are the codes of code lengths as literals.
var lengthMeanings = func() (m [19]uint32) {
	for i := range m {
		m[i] = kindLiterals | uint32(i)<<8
	}
	return m
}()

// readCodes prepares the codes of a block: its own ones, which its head
// describes, or the fixed ones.
func (z *inflater) readCodes(own bool) error {
	literals, distances := 288, 32
	if own {
		literals, distances = int(z.take(5))+257, int(z.take(5))+1
		if literals > 286 || distances > 30 {
			return errData
		}
		if err := z.readLengths(literals + distances); err != nil {
			return err
		}
	} else {
		for i := range z.lengths {
			z.lengths[i] = fixedLength(i)
		}
	}
	if z.lengths[256] == 0 ||
		!z.literals.build(z.lengths[:literals], literalMeanings[:]) ||
		!z.distances.build(z.lengths[literals:literals+distances], distanceMeanings[:]) {
		return errData
	}
	z.literals.join()
	return nil
}

// fixedLength is the length of code i of the fixed codes, those of distances
// after those of literals and lengths (RFC 1951, 3.2.6).
func fixedLength(i int) uint8 {
	switch {
	case i >= maxLiterals:
		return 5
	case i < 144, i >= 280:
		return 8
	case i < 256:
		return 9
	}
	return 7
}

// readLengths reads n code lengths (RFC 1951, 3.2.7).
func (z *inflater) readLengths(n int) error {
	count := int(z.take(4)) + 4
	var own [19]uint8
	z.refill()
	for i, at := range lengthOrder[:count] {
		if i == 16 {
			z.refill() // 48 bits so far
		}
		own[at] = uint8(z.take(3))
	}
	if !z.codes.build(own[:], lengthMeanings[:]) {
		return errData
	}
	for i := 0; i < n; {
		z.refill()
		e := z.codes[z.bits&primaryMask]
		if e&kindMask != kindLiterals {
			return errData
		}
		z.take(uint(e & 15))
		length, times := uint8(e>>8), 1
		switch length {
		case 16:
			if i == 0 {
				return errData
			}
			length, times = z.lengths[i-1], 3+int(z.take(2))
		case 17:
			length, times = 0, 3+int(z.take(3))
		case 18:
			length, times = 0, 11+int(z.take(7))
		}
		if i+times > n {
			return errData
		}
		for range times {
			z.lengths[i] = length
			i++
		}
	}
	return nil
}
