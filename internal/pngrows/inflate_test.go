package pngrows

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	kflate "github.com/klauspost/compress/flate"
)

// deflate compresses at a level of compress/flate.
func deflate(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// run inflates a stream into want bytes.
func run(z *inflater, stream []byte, want int) ([]byte, error) {
	src := make([]byte, len(stream)+srcPadding)
	copy(src, stream)
	for i := range srcPadding { // whatever lies there
		src[len(stream)+i] = 0xff
	}
	dst := make([]byte, want+dstPadding)
	n, _, err := z.inflate(dst, want, src, len(stream))
	return dst[:min(n, want)], err
}

// corpora are data of the kinds that codes differ for.
func corpora() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(n int, f func(i int) byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = f(i)
		}
		return b
	}
	return map[string][]byte{
		"empty":     {},
		"one":       {42},
		"zeros":     make([]byte, 100_000),
		"noise":     fill(70_000, func(int) byte { return byte(r.IntN(256)) }),
		"residuals": fill(300_000, func(int) byte { return byte(int(3 * r.NormFloat64())) }),
		"rare":      fill(300_000, func(int) byte { return byte(int(r.ExpFloat64() * r.ExpFloat64() * 4)) }), // long codes
		"runs":      fill(200_000, func(i int) byte { return byte(i / 997) }),
		"triples":   fill(200_000, func(i int) byte { return byte(i%3 + i/5000) }),
		"text":      bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog; "), 3000),
		"sevens":    bytes.Repeat([]byte("abcdefg"), 9000),
	}
}

func TestInflateEqualsTheStandardLibrary(t *testing.T) {
	var z inflater
	for name, data := range corpora() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, 1, 6, 9} {
			got, err := run(&z, deflate(t, data, level), len(data))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s at level %d: %d of %d bytes, %v", name, level, len(got), len(data), err)
			}
		}
	}
}

// bitString writes bits as deflate does, the lowest of a byte first.
type bitString struct {
	bytes []byte
	n     int
}

// number appends the low n bits of v, lowest first; codes of a Huffman code are
// written by code.
func (b *bitString) number(v uint, n int) *bitString {
	for i := range n {
		if b.n%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[b.n/8] |= byte(v >> i & 1 << (b.n % 8))
		b.n++
	}
	return b
}

// code appends a code given as its bits in order, e.g. "0000001".
func (b *bitString) code(bits string) *bitString {
	for _, c := range bits {
		b.number(uint(c-'0'), 1)
	}
	return b
}

// fixed begins a last block with the fixed codes, own one with its own: numbers
// of literal, distance and length codes as the head holds them, then the length
// codes' lengths in their order (RFC 1951, 3.2.7: 16, 17, 18, 0, …).
func fixed() *bitString { return new(bitString).number(1, 1).number(1, 2) }

func own(literals, distances uint, lengths ...uint) *bitString {
	b := new(bitString).number(1, 1).number(2, 2).number(literals, 5).number(distances, 5).number(uint(len(lengths)-4), 4)
	for _, n := range lengths {
		b.number(n, 3)
	}
	return b
}

// Streams that are wrong in one place each.
func TestMalformedStreams(t *testing.T) {
	const a, end, length3 = "10010001", "0000000", "0000001" // fixed codes of 97, 256 and 257
	tests := map[string]*bitString{
		"reserved kind":            new(bitString).number(1, 1).number(3, 2),
		"stored, wrong complement": new(bitString).number(1, 1).number(0, 7).number(5, 16).number(5, 16),
		"stored, cut":              new(bitString).number(1, 1).number(0, 7).number(2, 16).number(0xfffd, 16).number(7, 8),
		"stored, head cut":         new(bitString).number(1, 1).number(0, 7).number(2, 16),
		"no distance yet":          fixed().code(length3 + "00000" + end),
		"distance before the data": fixed().code(a + length3 + "00001" + end),
		"length code 286":          fixed().code(a + "11000110" + end),
		"distance code 30":         fixed().code(a + length3 + "11110" + end),
		"no end":                   fixed().code(a),
		"no last block":            new(bitString).number(0, 1).number(1, 2).code(a + end),
		"287 literal codes":        own(30, 0, 1, 1, 1, 1),
		"31 distance codes":        own(0, 30, 1, 1, 1, 1),
		"too many lengths":         own(0, 0, 1, 1, 1, 1),
		"too few lengths":          own(0, 0, 2, 0, 0, 0).number(0, 40),
		"no lengths":               own(0, 0, 0, 0, 0, 0).number(0, 40),
		"repeats nothing":          own(0, 0, 1, 0, 0, 1).code("1").number(0, 40), // 0 → length 0, 1 → repeat
		"repeats too often":        own(0, 0, 0, 0, 1, 1).code("1").number(127, 7).code("1").number(127, 7).number(0, 40),
		"no code for the end":      own(0, 0, 0, 0, 1, 1).code("1").number(127, 7).code("1").number(120-11, 7).number(0, 40),
	}
	for name, stream := range tests {
		if _, err := io.ReadAll(flate.NewReader(bytes.NewReader(stream.bytes))); err == nil {
			t.Errorf("%s: the standard library reads it", name)
		}
		if got, err := run(new(inflater), stream.bytes, 5); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
	good := fixed().code(a + length3 + "00000" + end)
	if got, err := run(new(inflater), good.bytes, 4); err != nil || string(got) != "aaaa" {
		t.Errorf("good codes: %q, %v", got, err)
	}
}

func FuzzInflate(f *testing.F) {
	for _, data := range corpora() {
		data = data[:min(len(data), 2000)]
		f.Add(deflate(f, data, 6), 0, byte(0), len(data))
		f.Add(deflate(f, data, 9), 17, byte(3), len(data))
	}
	f.Fuzz(func(t *testing.T, stream []byte, at int, flip byte, want int) {
		if len(stream) > 0 {
			stream = bytes.Clone(stream)
			stream[uint(at)%uint(len(stream))] ^= flip
		}
		want = int(uint(want) % 100_000)
		reference, referenceErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(stream)), int64(want)+1))
		got, err := run(new(inflater), stream, want)
		if len(reference) > want { // there is more
			if err == nil {
				t.Errorf("%d bytes, no error", len(got))
			}
			return
		}
		if (err == nil) != (referenceErr == nil) {
			t.Fatalf("error %v, the standard library's is %v", err, referenceErr)
		}
		if err == nil && !bytes.Equal(got, reference) {
			t.Error("the data differ")
		}
	})
}

// BenchmarkInflate compares inflaters on made data and, with T2SDA_REAL_DATA, on
// the pixels of a photograph of 1914×1052, in turn: x-library and x-klauspost are
// medians of how many times as long the others take.
func BenchmarkInflate(b *testing.B) {
	streams := map[string][]byte{"made": deflate(b, corpora()["residuals"], 6)}
	if root := os.Getenv("T2SDA_REAL_DATA"); root != "" {
		f, err := os.Open(filepath.Join(root, "samples/fda/source.png"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		p, err := New(f, 1<<28)
		if err != nil {
			b.Fatal(err)
		}
		streams["photograph"] = bytes.Clone(p.packed[2 : len(p.packed)-4-srcPadding])
		p.Close()
	}
	for name, stream := range streams {
		b.Run(name, func(b *testing.B) { benchmarkInflate(b, stream) })
	}
}

func benchmarkInflate(b *testing.B, stream []byte) {
	data, err := io.ReadAll(flate.NewReader(bytes.NewReader(stream)))
	if err != nil {
		b.Fatal(err)
	}
	src := append(bytes.Clone(stream), make([]byte, srcPadding)...)
	dst := make([]byte, len(data)+dstPadding)
	var z inflater
	library, klauspost := flate.NewReader(nil), kflate.NewReader(nil)
	into := func(r io.Reader) {
		if err := r.(flate.Resetter).Reset(bytes.NewReader(stream), nil); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(r, dst[:len(data)]); err != nil {
			b.Fatal(err)
		}
	}
	seconds := func(do func()) float64 {
		began := time.Now()
		do()
		return time.Since(began).Seconds()
	}
	var own, x, k []float64
	for b.Loop() {
		t := seconds(func() {
			if _, _, err := z.inflate(dst, len(data), src, len(stream)); err != nil {
				b.Fatal(err)
			}
		})
		own = append(own, float64(len(data))/1e6/t)
		x = append(x, seconds(func() { into(library) })/t)
		k = append(k, seconds(func() { into(klauspost) })/t)
	}
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(0, "ns/op") // a round mixes three things
	b.ReportMetric(median(own), "MB/s")
	b.ReportMetric(median(x), "x-library")
	b.ReportMetric(median(k), "x-klauspost")
}
