package pickle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxOps bounds the opcodes of one pickle, and with it the memory. The checkpoint
// of a method with three copies of the largest network and AdamW's moments takes
// about 200 thousand.
const maxOps = 4_000_000

// maxLong is the largest number of bytes of an integer.
const maxLong = 1024

// Decoder reads pickles that follow each other.
type Decoder struct {
	// Refuse may refuse a name by returning an error; nil refuses none.
	Refuse func(Global) error

	// Persistents are the identities of what lies outside of the pickles so far.
	Persistents []any

	in         *bufio.Reader
	size, read int64 // bytes of the input, and how many were read

	stack []any
	marks []int // heights of the stack
	memo  map[uint32]any
}

// NewDecoder reads from r, which holds size bytes.
func NewDecoder(r io.Reader, size int64) *Decoder {
	return &Decoder{in: bufio.NewReader(r), size: size}
}

// Offset returns how many bytes were read: after [Decoder.Decode], where what
// follows the pickle begins.
func (d *Decoder) Offset() int64 { return d.read }

// Decode reads one pickle.
func (d *Decoder) Decode() (any, error) {
	d.stack, d.marks, d.memo = nil, nil, map[uint32]any{}
	for range maxOps {
		op, err := d.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			return d.pop()
		}
		step, ok := ops[op]
		if !ok {
			return nil, fmt.Errorf("byte %d: opcode %q is none that weights need", d.read-1, rune(op))
		}
		if err := step(d); err != nil {
			return nil, fmt.Errorf("byte %d: %w", d.read, err)
		}
	}
	return nil, fmt.Errorf("the pickle has more than %d steps", maxOps)
}

var errTruncated = errors.New("truncated: the pickle goes on where the file ends")

func (d *Decoder) byte() (byte, error) {
	b, err := d.in.ReadByte()
	if err != nil {
		return 0, errTruncated
	}
	d.read++
	return b, nil
}

// bytes reads n bytes, after it has seen that there are as many.
func (d *Decoder) bytes(n uint64) ([]byte, error) {
	if n > uint64(max(d.size-d.read, 0)) {
		return nil, errTruncated
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(d.in, b); err != nil {
		return nil, errTruncated
	}
	d.read += int64(n)
	return b, nil
}

// uint reads a little-endian number of n ≤ 8 bytes.
func (d *Decoder) uint(n uint64) (uint64, error) {
	b, err := d.bytes(n)
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), err
}

// sized reads bytes behind their length of n bytes.
func (d *Decoder) sized(n uint64) ([]byte, error) {
	length, err := d.uint(n)
	if err != nil {
		return nil, err
	}
	return d.bytes(length)
}

// line reads a text up to a line's end.
func (d *Decoder) line() (string, error) {
	const longest = 4096
	var text []byte
	for len(text) <= longest {
		b, err := d.byte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return string(text), nil
		}
		text = append(text, b)
	}
	return "", fmt.Errorf("a name of more than %d bytes", longest)
}

func (d *Decoder) push(v any) { d.stack = append(d.stack, v) }

var errStack = errors.New("malformed: nothing is on the stack")

// floor is the height of the stack below which a step must not reach.
func (d *Decoder) floor() int {
	if len(d.marks) == 0 {
		return 0
	}
	return d.marks[len(d.marks)-1]
}

func (d *Decoder) pop() (any, error) {
	if len(d.stack) <= d.floor() {
		return nil, errStack
	}
	v := d.stack[len(d.stack)-1]
	d.stack = d.stack[:len(d.stack)-1]
	return v, nil
}

// pop2 pops two values, the upper one second.
func (d *Decoder) pop2() (lower, upper any, err error) {
	if upper, err = d.pop(); err == nil {
		lower, err = d.pop()
	}
	return lower, upper, err
}

func (d *Decoder) top() (any, error) {
	if len(d.stack) <= d.floor() {
		return nil, errStack
	}
	return d.stack[len(d.stack)-1], nil
}

// popMark pops what lies above the last mark.
func (d *Decoder) popMark() ([]any, error) {
	if len(d.marks) == 0 {
		return nil, errors.New("malformed: there is no mark")
	}
	at := d.floor()
	d.marks = d.marks[:len(d.marks)-1]
	items := append([]any(nil), d.stack[at:]...)
	d.stack = d.stack[:at]
	return items, nil
}

// integer returns a two's complement number as int64 where it fits.
func integer(b []byte) any {
	if len(b) > 8 {
		return Long(b)
	}
	var wide [8]byte
	if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
		wide = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(wide[:], b)
	return int64(binary.LittleEndian.Uint64(wide[:]))
}

// float reads a big-endian float64.
func (d *Decoder) float() (float64, error) {
	b, err := d.bytes(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}
