package jpegrows

// The inverse transform is libjpeg's accurate integer one (jidctint.c, "islow"),
// an algorithm of Loeffler, Ligtenberg and Moschytz (ICASSP 1989) with 12
// multiplications: constants have constBits fractional bits, values between the
// passes passBits.
const (
	constBits = 13
	passBits  = 2

	fix0298631336 = 2446
	fix0390180644 = 3196
	fix0541196100 = 4433
	fix0765366865 = 6270
	fix0899976223 = 7373
	fix1175875602 = 9633
	fix1501321110 = 12299
	fix1847759065 = 15137
	fix1961570560 = 16069
	fix2053119869 = 16819
	fix2562915447 = 20995
	fix3072711026 = 25172
)

// inverse writes the 8×8 samples of a block's coefficients, multiplied by their
// quantisation, to dst, whose rows are stride apart.
func inverse(dst []byte, stride int, coeffs *[64]int16, quant *[64]int32) {
	var ws [64]int32
	for x := range 8 {
		c1, c2, c3, c4 := int32(coeffs[8+x]), int32(coeffs[16+x]), int32(coeffs[24+x]), int32(coeffs[32+x])
		c5, c6, c7 := int32(coeffs[40+x]), int32(coeffs[48+x]), int32(coeffs[56+x])
		c0 := int32(coeffs[x]) * quant[x]
		if c1|c2|c3|c4|c5|c6|c7 == 0 {
			c0 <<= passBits
			ws[x], ws[8+x], ws[16+x], ws[24+x], ws[32+x], ws[40+x], ws[48+x], ws[56+x] = c0, c0, c0, c0, c0, c0, c0, c0
			continue
		}
		e, o := transform(c0, c1*quant[8+x], c2*quant[16+x], c3*quant[24+x], c4*quant[32+x], c5*quant[40+x], c6*quant[48+x], c7*quant[56+x])
		const shift, half = constBits - passBits, 1 << (constBits - passBits - 1)
		ws[x], ws[56+x] = (e[0]+o[3]+half)>>shift, (e[0]-o[3]+half)>>shift
		ws[8+x], ws[48+x] = (e[1]+o[2]+half)>>shift, (e[1]-o[2]+half)>>shift
		ws[16+x], ws[40+x] = (e[2]+o[1]+half)>>shift, (e[2]-o[1]+half)>>shift
		ws[24+x], ws[32+x] = (e[3]+o[0]+half)>>shift, (e[3]-o[0]+half)>>shift
	}
	for y := range 8 {
		w := (*[8]int32)(ws[8*y:])
		out := (*[8]byte)(dst[y*stride:])
		e, o := transform(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
		const shift = constBits + passBits + 3
		const half = 1<<(shift-1) + 128<<shift // rounding, and the samples' middle
		out[0], out[7] = clamp((e[0]+o[3]+half)>>shift), clamp((e[0]-o[3]+half)>>shift)
		out[1], out[6] = clamp((e[1]+o[2]+half)>>shift), clamp((e[1]-o[2]+half)>>shift)
		out[2], out[5] = clamp((e[2]+o[1]+half)>>shift), clamp((e[2]-o[1]+half)>>shift)
		out[3], out[4] = clamp((e[3]+o[0]+half)>>shift), clamp((e[3]-o[0]+half)>>shift)
	}
}

// transform returns the even and the odd part of one pass: value k of the first
// four is even[k] + odd[3-k], value 7-k their difference.
func transform(c0, c1, c2, c3, c4, c5, c6, c7 int32) (even, odd [4]int32) {
	z1 := (c2 + c6) * fix0541196100
	t2, t3 := z1-c6*fix1847759065, z1+c2*fix0765366865
	t0, t1 := (c0+c4)<<constBits, (c0-c4)<<constBits
	even = [4]int32{t0 + t3, t1 + t2, t1 - t2, t0 - t3}

	z1, z2, z3, z4 := c7+c1, c5+c3, c7+c3, c5+c1
	z5 := (z3 + z4) * fix1175875602
	z1, z2 = -z1*fix0899976223, -z2*fix2562915447
	z3, z4 = z5-z3*fix1961570560, z5-z4*fix0390180644
	odd = [4]int32{
		c7*fix0298631336 + z1 + z3, c5*fix2053119869 + z2 + z4,
		c3*fix3072711026 + z2 + z3, c1*fix1501321110 + z1 + z4,
	}
	return even, odd
}

// flat is [inverse] for blocks of which only the first coefficient is not 0.
func flat(dst []byte, stride int, c int32) {
	v := clamp((c+4)>>3 + 128)
	row := [8]byte{v, v, v, v, v, v, v, v}
	for y := range 8 {
		*(*[8]byte)(dst[y*stride:]) = row
	}
}

func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^(v >> 31)) // 0 below, 255 above
	}
	return uint8(v)
}
