package serve

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// The load test's environment: all 500 requests instead of 100, as in task test:full, and
// the model to put under load instead of a small one.
const (
	longEnv      = "T2SDA_TEST_LONG"
	loadModelEnv = "T2SDA_LOAD_MODEL"
)

// upload is what a request brings, and the status it deserves.
type upload struct {
	name   string
	file   []byte
	status int
}

// pngOf writes a PNG file of one IDAT chunk around raw rows.
func pngOf(w, h uint32, depth, kind byte, rows io.Reader) []byte {
	b := bytes.NewBufferString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		body := append([]byte(name), data...)
		_ = binary.Write(b, binary.BigEndian, uint32(len(data)))
		b.Write(body)
		_ = binary.Write(b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, depth, kind, 0, 0, 0))
	var idat bytes.Buffer
	z, _ := zlib.NewWriterLevel(&idat, zlib.BestCompression)
	_, _ = io.Copy(z, rows)
	_ = z.Close()
	chunk("IDAT", idat.Bytes())
	chunk("IEND", nil)
	return b.Bytes()
}

// zeros are so many bytes of 0.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// uploads are valid, huge, truncated and hostile files.
func uploads(t *testing.T) []upload {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	photo := exporttest.RandomImages(r, 1, 640, 480)[0].NRGBA()
	file := func(encode func(w io.Writer) error) []byte {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	pngFile := func(m image.Image) []byte { return file(func(w io.Writer) error { return png.Encode(w, m) }) }
	photoPNG := pngFile(photo)
	photoJPEG := file(func(w io.Writer) error { return jpeg.Encode(w, photo, nil) })
	deep := image.NewNRGBA64(image.Rect(0, 0, 200, 100))
	for y := range 100 {
		for x := range 200 {
			deep.Set(x, y, color.NRGBA64{R: uint16(300 * x), G: uint16(600 * y), A: 0xffff})
		}
	}
	cmyk, err := os.ReadFile(filepath.Join("..", "..", "internal", "jpegrows", "testdata", "cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	gifFile := file(func(w io.Writer) error { return gif.Encode(w, photo, nil) })
	zipFile := file(func(w io.Writer) error { return zip.NewWriter(w).Close() })
	html := []byte("<html><script>alert(1)</script></html>")
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	flipped := bytes.Clone(photoPNG)
	flipped[len(flipped)/2] ^= 0x40
	claims := bytes.Clone(photoPNG)
	binary.BigEndian.PutUint32(claims[16:], 60_000)
	tiff := append([]byte("II*\x00\xff\xff\xff\x7f"), noise...)
	return []upload{
		{"photo, PNG", photoPNG, 200},
		{"photo, JPEG", photoJPEG, 200},
		{"photo, GIF", gifFile, 200},
		{"one pixel", pngFile(image.NewGray(image.Rect(0, 0, 1, 1))), 200},
		{"one row", pngFile(image.NewGray(image.Rect(0, 0, 3000, 1))), 200},
		{"16 bits", pngFile(deep), 200},
		{"CMYK", cmyk, 200},
		{"huge, as many pixels as are taken", pngOf(5000, 5000, 1, 0, zeros(5000*626)), 200},
		{"PNG and HTML", slices.Concat(photoPNG, html), 200},
		{"GIF and ZIP", slices.Concat(gifFile, zipFile), 200},
		{"bomb of 900 megapixels", pngOf(30_000, 30_000, 1, 0, zeros(30_000*3751)), 413},
		{"bomb of 2³¹ columns", pngOf(1<<31-1, 1<<31-1, 8, 2, zeros(1<<20)), 422},
		{"bomb behind a small head", pngOf(16, 16, 8, 2, zeros(200<<20)), 422},
		{"too many bytes", make([]byte, DefaultLimits().Bytes+1), 413},
		{"truncated PNG", photoPNG[:len(photoPNG)/2], 422},
		{"truncated JPEG", photoJPEG[:len(photoJPEG)/3], 422},
		{"a head alone", photoPNG[:33], 422},
		{"a flipped bit", flipped, 422},
		{"a head that claims", claims, 422},
		{"no width", pngOf(0, 10, 8, 2, zeros(10)), 422},
		{"TIFF that points outside", tiff, 422},
		{"HTML", html, 422},
		{"ZIP", zipFile, 422},
		{"noise", noise, 422},
		{"nothing", nil, 400},
	}
}

// resources are what a server must give back.
type resources struct{ goroutines, files int }

func inUse() resources { return resources{runtime.NumGoroutine(), int(openFiles())} }

// TestLoad puts a server under 16 requests at once of every kind of file: it answers each
// with the status that it deserves, its memory stays bounded, and it gives everything back.
// docs/serve.md has its figures.
func TestLoad(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	path := os.Getenv(loadModelEnv)
	p := exporttest.NanoPredictor(t)
	if path != "" {
		p = exporttest.Open(t, e, path, predict.Options{})
	}
	requests, at := 100, 16
	if os.Getenv(longEnv) != "" {
		requests = 500
	}
	all := uploads(t)
	before, memory := inUse(), watchMemory()
	s := start(t, Options{Model: p}, nil)
	took := make([]time.Duration, requests)
	work := make(chan int)
	var done sync.WaitGroup
	for range at {
		done.Go(func() {
			for i := range work {
				u := all[i%len(all)]
				began := time.Now()
				status, text, err := post(s, u.file)
				took[i] = time.Since(began)
				// A server may close before a body is sent that it does not want.
				if refused := err != nil && u.status == http.StatusRequestEntityTooLarge; !refused && (err != nil || status != u.status) {
					t.Errorf("%s: %d %v %s, want %d", u.name, status, err, text, u.status)
				}
			}
		})
	}
	began := time.Now()
	for i := range requests {
		work <- i
	}
	close(work)
	done.Wait()
	total, valid := time.Since(began), []time.Duration{}
	for i, d := range took {
		if all[i%len(all)].status == 200 {
			valid = append(valid, d)
		}
	}
	slices.Sort(took)
	slices.Sort(valid)
	pick := func(d []time.Duration, q float64) time.Duration {
		return d[min(int(q*float64(len(d))), len(d)-1)].Round(time.Millisecond)
	}
	peak := memory()
	t.Logf("%d requests, %d at once, in %v: p50 %v, p99 %v; answered ones p50 %v, p99 %v; resident %d MiB more at the most",
		requests, at, total.Round(time.Millisecond), pick(took, 0.5), pick(took, 0.99), pick(valid, 0.5), pick(valid, 0.99), peak>>20)
	if peak > 1<<30 {
		t.Errorf("memory grew by %d MiB", peak>>20)
	}
	s.client.CloseIdleConnections()
	if err := s.end(); err == nil {
		t.Error("Serve returned no error")
	}
	after := inUse()
	for range 100 { // what has ended takes a moment to be gone
		if after.goroutines <= before.goroutines && after.files <= before.files {
			return
		}
		time.Sleep(20 * time.Millisecond)
		after = inUse()
	}
	t.Errorf("%+v before, %+v after", before, after)
}

// post sends a file; not by [running.ask], which is for the test's own goroutine.
func post(s *running, file []byte) (status int, text []byte, err error) {
	resp, err := s.client.Post(s.url+"/v1/segment", "application/octet-stream", bytes.NewReader(file))
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusOK {
		if _, err := png.DecodeConfig(bytes.NewReader(text)); err != nil {
			return 0, nil, fmt.Errorf("the answer is no label map: %w", err)
		}
		text = nil
	}
	return resp.StatusCode, text, err
}

// watchMemory samples the resident size until the function that it returns is called,
// which says by how many bytes it grew at the most.
func watchMemory() func() int64 {
	debug.FreeOSMemory()
	began, most := resident(), int64(0)
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			most = max(most, resident()-began)
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-stopped
		return most
	}
}

// resident is this process's memory, 0 where the system does not tell.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(cmp.Or(append(strings.Fields(string(text)), "0", "0")[1], "0"), 10, 64)
	return pages * int64(os.Getpagesize())
}
