package weights

import (
	"encoding/binary"
	"math"
)

// DType is the type of a stored tensor's elements, by PyTorch's name.
type DType string

// format says how the elements of a type are stored, little-endian.
type format struct {
	size    int64
	float   bool
	convert func([]byte) float32 // nil: there is no single number in it
}

// formats has one line per type that files may hold.
var formats = map[DType]format{
	"float32":  {4, true, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }},
	"float64":  {8, true, func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }},
	"bfloat16": {2, true, func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) }},
	"float16":  {2, true, func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) }},

	"int64":  {8, false, func(b []byte) float32 { return float32(int64(binary.LittleEndian.Uint64(b))) }},
	"int32":  {4, false, func(b []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(b))) }},
	"int16":  {2, false, func(b []byte) float32 { return float32(int16(binary.LittleEndian.Uint16(b))) }},
	"int8":   {1, false, func(b []byte) float32 { return float32(int8(b[0])) }},
	"uint64": {8, false, func(b []byte) float32 { return float32(binary.LittleEndian.Uint64(b)) }},
	"uint32": {4, false, func(b []byte) float32 { return float32(binary.LittleEndian.Uint32(b)) }},
	"uint16": {2, false, func(b []byte) float32 { return float32(binary.LittleEndian.Uint16(b)) }},
	"uint8":  {1, false, func(b []byte) float32 { return float32(b[0]) }},
	"bool":   {1, false, func(b []byte) float32 { return float32(min(b[0], 1)) }},

	"complex64":     {size: 8},
	"complex128":    {size: 16},
	"float8_e4m3fn": {size: 1},
	"float8_e5m2":   {size: 1},
}

// half converts an IEEE 754 binary16 number.
func half(b uint16) float32 {
	sign, exponent, fraction := float32(1), int(b>>10&31), float64(b&1023)
	if b>>15 != 0 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * float32(math.Ldexp(fraction, -24))
	case 31:
		if fraction != 0 {
			return float32(math.NaN())
		}
		return sign * float32(math.Inf(1))
	}
	return sign * float32(math.Ldexp(1024+fraction, exponent-25))
}
