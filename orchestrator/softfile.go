package orchestrator

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"t2sda/internal/atomicfile"
	"t2sda/orchestrator/learner"
)

// A file of soft labels is a header, the labels' probabilities, counts and sums in the form of
// [flate], and the CRC-32 of all before.

// softHeader is how such a file begins.
type softHeader struct {
	Magic      [8]byte
	ID         uint32 // CRC-32 of the image's name
	C, H, W, D uint32
}

var softMagic = [8]byte{'t', '2', 's', 's', 'o', 'f', 't', 2}

// softMost bounds what a header may ask memory for, in numbers.
const softMost = 1 << 32

// writeSoft writes the labels of an image and returns the file's size.
func writeSoft(disk atomicfile.Disk, path, id string, s *learner.Soft) (int, error) {
	var b bytes.Buffer
	h := softHeader{softMagic, crc32.ChecksumIEEE([]byte(id)), uint32(s.C), uint32(s.H), uint32(s.W), uint32(s.D)}
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		return 0, err
	}
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return 0, err
	}
	for _, part := range []any{s.Probabilities, s.Counts, s.Sums} {
		err = errors.Join(err, binary.Write(z, binary.LittleEndian, part))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return 0, err
	}
	data := binary.LittleEndian.AppendUint32(b.Bytes(), crc32.ChecksumIEEE(b.Bytes()))
	return len(data), disk.Write(path, data)
}

// errSoftDamaged marks a file that is not what was written.
var errSoftDamaged = errors.New("it is damaged, or another image's")

// softIntact compares a file with its checksum.
func softIntact(data []byte) bool {
	n := len(data) - 4
	return n >= binary.Size(softHeader{}) && crc32.ChecksumIEEE(data[:n]) == binary.LittleEndian.Uint32(data[n:])
}

// readSoft reads the labels of an image.
func readSoft(path, id string) (*learner.Soft, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var h softHeader
	n := len(data) - 4
	if !softIntact(data) {
		return nil, fmt.Errorf("%s: %w", path, errSoftDamaged)
	}
	r := bytes.NewReader(data[:n])
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil || h.Magic != softMagic || h.ID != crc32.ChecksumIEEE([]byte(id)) ||
		uint64(h.C)*uint64(h.H) > softMost || uint64(h.C)*uint64(h.H)*uint64(h.W) > softMost || uint64(h.C)*uint64(h.D) > softMost {
		return nil, fmt.Errorf("%s: %w", path, errSoftDamaged)
	}
	s := &learner.Soft{C: int(h.C), H: int(h.H), W: int(h.W), D: int(h.D)}
	s.Probabilities, s.Counts, s.Sums = make([]uint8, s.C*s.H*s.W), make([]int32, s.C), make([]float32, s.C*s.D)
	z := flate.NewReader(r)
	_, err = io.ReadFull(z, s.Probabilities)
	for _, part := range []any{s.Counts, s.Sums} {
		err = errors.Join(err, binary.Read(z, binary.LittleEndian, part))
	}
	if _, end := z.Read(make([]byte, 1)); err != nil || !errors.Is(end, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, errSoftDamaged)
	}
	return s, nil
}
