// Package tbevent writes scalar series as TensorBoard event files.
//
// The format is TFRecord framing (length, masked CRC-32C of the length, data,
// masked CRC-32C of the data) around tensorflow.Event messages, of which the
// fields wall_time (1), step (2), file_version (3), summary (5) and session_log
// (7) are used.
package tbevent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"t2sda/internal/atomicfile"
)

// Writer appends events to one file. It is not safe for concurrent use.
type Writer struct {
	file atomicfile.File
	now  func() time.Time
}

// Create starts a new event file in dir. The file's name carries the time, as
// TensorBoard expects, so that a resumed run adds a file beside the first one.
func Create(disk atomicfile.Disk, dir string) (*Writer, error) {
	w := &Writer{now: time.Now}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d", w.now().Unix(), host, os.Getpid())
	w.file, err = disk.Append(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	version := protowire.AppendTag(nil, 3, protowire.BytesType)
	version = protowire.AppendString(version, "brain.Event:2")
	if err := w.write(w.event(0, version)); err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	return w, nil
}

// Scalar is one point of the series Tag.
type Scalar struct {
	Tag   string
	Value float64
}

// Write appends the scalars of one step as one event.
func (w *Writer) Write(step int, scalars []Scalar) error {
	var summary []byte
	for _, s := range scalars {
		var value []byte
		value = protowire.AppendTag(value, 1, protowire.BytesType)
		value = protowire.AppendString(value, s.Tag)
		value = protowire.AppendTag(value, 2, protowire.Fixed32Type) // simple_value
		value = protowire.AppendFixed32(value, math.Float32bits(float32(s.Value)))
		summary = protowire.AppendTag(summary, 1, protowire.BytesType)
		summary = protowire.AppendBytes(summary, value)
	}
	body := protowire.AppendTag(nil, 5, protowire.BytesType)
	body = protowire.AppendBytes(body, summary)
	return w.write(w.event(step, body))
}

// Restart tells TensorBoard that training goes on from step: it drops what
// earlier files of the folder hold of this step and later ones.
func (w *Writer) Restart(step int) error {
	var session []byte
	session = protowire.AppendTag(session, 1, protowire.VarintType) // status
	session = protowire.AppendVarint(session, 1)                    // START
	body := protowire.AppendTag(nil, 7, protowire.BytesType)
	body = protowire.AppendBytes(body, session)
	return w.write(w.event(step, body))
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

func (w *Writer) event(step int, body []byte) []byte {
	var e []byte
	e = protowire.AppendTag(e, 1, protowire.Fixed64Type)
	e = protowire.AppendFixed64(e, math.Float64bits(float64(w.now().UnixMicro())/1e6))
	e = protowire.AppendTag(e, 2, protowire.VarintType)
	e = protowire.AppendVarint(e, uint64(step))
	return append(e, body...)
}

func (w *Writer) write(data []byte) error {
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, data...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(data))
	_, err := w.file.Write(record)
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is TFRecord's checksum: CRC-32C rotated right by 15 bits plus a
// constant, so that a checksum of data holding checksums is not degenerate.
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}
