package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"
)

// np.save of np.array([[0, 1], [-2, .5], [65504, 3]], '<f2') and of a vector of one '<f4'
// write these bytes.
func TestEncode(t *testing.T) {
	a := New(Float16, 3, 2)
	a.Put(0, []float32{0, 1})
	a.Put(2, []float32{-2, 0.5, 65504, 3})
	head := func(text string) []byte {
		b := append([]byte("\x93NUMPY\x01\x00"), 118, 0)
		b = append(b, text...)
		for len(b) < 127 {
			b = append(b, ' ')
		}
		return append(b, '\n')
	}
	want := head("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2), }")
	for _, bits := range []uint16{0, 0x3c00, 0xc000, 0x3800, 0x7bff, 0x4200} {
		want = binary.LittleEndian.AppendUint16(want, bits)
	}
	var have bytes.Buffer
	if err := a.Encode(&have); err != nil || !bytes.Equal(have.Bytes(), want) {
		t.Errorf("%v\n%q\n%q", err, have.Bytes(), want)
	}
	one := New(Float32, 1)
	one.Put(0, []float32{0.25})
	want = binary.LittleEndian.AppendUint32(head("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"), math.Float32bits(0.25))
	have.Reset()
	if err := one.Encode(&have); err != nil || !bytes.Equal(have.Bytes(), want) {
		t.Errorf("%v\n%q\n%q", err, have.Bytes(), want)
	}
}

// Archives hold the array under its name, and are the same at every run.
func TestEncodeArchive(t *testing.T) {
	a := New(Float32, 200, 100)
	var plain, archive, again bytes.Buffer
	for _, do := range []func() error{
		func() error { return a.Encode(&plain) },
		func() error { return a.EncodeArchive(&archive, "probabilities") },
		func() error { return a.EncodeArchive(&again, "probabilities") },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archive.Bytes(), again.Bytes()) || archive.Len() > plain.Len()/10 {
		t.Errorf("archives of %d and %d bytes, of %d", archive.Len(), again.Len(), plain.Len())
	}
	z, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "probabilities.npy" {
		t.Fatalf("%v, %+v", err, z)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); err != nil || !bytes.Equal(data, plain.Bytes()) {
		t.Errorf("%v, %d bytes", err, len(data))
	}
}
