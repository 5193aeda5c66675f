package pngrows

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
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

func BenchmarkInflate(b *testing.B) {
	data := corpora()["residuals"]
	stream := deflate(b, data, 6)
	src := append(stream, make([]byte, srcPadding)...)
	dst := make([]byte, len(data)+dstPadding)
	b.Run("pngrows", func(b *testing.B) {
		var z inflater
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, _, err := z.inflate(dst, len(data), src, len(stream)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compress/flate", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := io.Copy(io.Discard, flate.NewReader(bytes.NewReader(stream))); err != nil {
				b.Fatal(err)
			}
		}
	})
}
