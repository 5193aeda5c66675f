// Package npy writes arrays as NumPy reads them: single ones (.npy, format version 1.0,
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), and several in
// one compressed archive (.npz).
package npy

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"t2sda/internal/half"
)

// Type is that of an array's elements.
type Type string

// The types that are written, all of them little-endian.
const (
	Float32 Type = "<f4"
	Float16 Type = "<f2"
)

// Size is that of an element in bytes.
func (t Type) Size() int {
	if t == Float16 {
		return 2
	}
	return 4
}

// Array is an array in memory, the last axis running fastest.
type Array struct {
	Type  Type
	Shape []int
	Data  []byte // as it is written
}

// New returns an array of zeros.
func New(t Type, shape ...int) *Array {
	n := t.Size()
	for _, d := range shape {
		n *= d
	}
	return &Array{t, shape, make([]byte, n)}
}

// Put writes values from element at on, rounded to the array's type.
func (a *Array) Put(at int, values []float32) {
	to := a.Data[at*a.Type.Size():]
	for i, v := range values {
		if a.Type == Float16 {
			binary.LittleEndian.PutUint16(to[2*i:], half.Bits(v))
		} else {
			binary.LittleEndian.PutUint32(to[4*i:], math.Float32bits(v))
		}
	}
}

// Encode writes the array as an .npy file.
func (a *Array) Encode(w io.Writer) error {
	const before, line = 10, 64 // bytes before the header, and what both are a multiple of
	dims := make([]string, len(a.Shape))
	for i, d := range a.Shape {
		dims[i] = fmt.Sprint(d)
	}
	shape := strings.Join(dims, ", ")
	if len(dims) == 1 {
		shape += ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", a.Type, shape)
	header += strings.Repeat(" ", line-1-(before+len(header))%line) + "\n"
	head := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	for _, part := range [][]byte{head, []byte(header), a.Data} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// EncodeArchive writes the array as the only one, of that name, of an .npz file.
func (a *Array) EncodeArchive(w io.Writer, name string) error {
	z := zip.NewWriter(w)
	f, err := z.Create(name + ".npy") // without a time: the same array gives the same bytes
	if err != nil {
		return err
	}
	if err := a.Encode(f); err != nil {
		return err
	}
	return z.Close()
}
