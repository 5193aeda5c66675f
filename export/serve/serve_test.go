package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// step is the models' amount of red per class.
const step = 40

// foreign opens a model that reads the class off the image.
func foreign(t *testing.T, e *engine.Engine, f exporttest.Foreign) *predict.Predictor {
	t.Helper()
	f.Classes, f.Step = 5, step
	return exporttest.Open(t, e, f.File(t), predict.Options{Form: predict.Form{Space: exporttest.FiveClasses()}})
}

// running is a server that answers.
type running struct {
	*Server
	t      *testing.T
	url    string
	client *http.Client
	end    func() error // interrupts it, and returns what Serve returns
}

// start serves a model, checking all that is asked and answered by d (nil: nothing).
func start(t *testing.T, o Options, d *described) *running {
	t.Helper()
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	r := &running{Server: s, t: t, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if d != nil {
		r.client.Transport = d
	}
	var ended error
	r.end = func() error {
		if cancel != nil {
			cancel()
			ended, cancel = <-served, nil
			s.Close()
		}
		return ended
	}
	t.Cleanup(func() { r.end() })
	return r
}

// ask sends a request; fields are "Name: value".
func (r *running) ask(method, path string, body io.Reader, fields ...string) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, text
}

// want asks and compares status and a part of the answer.
func (r *running) want(status int, part, method, path string, body io.Reader, fields ...string) *http.Response {
	r.t.Helper()
	resp, text := r.ask(method, path, body, fields...)
	if resp.StatusCode != status || !strings.Contains(string(text), part) {
		r.t.Errorf("%s %s %v: %d %s; want %d and %q", method, path, fields, resp.StatusCode, text, status, part)
	}
	return resp
}

// checker paints blocks of all classes.
func checker(w, h int) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = uint8((i%w/5 + i/w/3) % 5)
	}
	return l
}

func encoded(t *testing.T, img *raster.Image) []byte {
	t.Helper()
	text, err := raster.EncodePNG(img.NRGBA())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The three answers are what the predictor sees in the image.
func TestSegment(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	d := newDescribed(t)
	for _, m := range []exporttest.Foreign{{FreeBatch: true, FreeShape: true}, {W: 24, H: 16}, {Labels: engine.Int64}} {
		p := foreign(t, e, m)
		s := start(t, Options{Model: p}, d)
		img := exporttest.Paint(checker(48, 32), step)
		want, err := p.Predict(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		file := encoded(t, img)

		resp, text := s.ask("POST", "/v1/segment", bytes.NewReader(file), "Content-Type: image/png")
		picture, err := png.Decode(bytes.NewReader(text))
		gray, ok := picture.(*image.Gray)
		if resp.Header.Get("Content-Type") != "image/png" || !ok || !bytes.Equal(gray.Pix, want.Pix) {
			t.Errorf("%+v: the label map is another: %v %s", m, err, resp.Status)
		}
		if timing := resp.Header.Get("Server-Timing"); !strings.Contains(timing, "run;dur=") || !strings.Contains(timing, "upload;dur=") {
			t.Errorf("Server-Timing: %s", timing)
		}

		_, text = s.ask("POST", "/v1/segment?confidence=true", bytes.NewReader(file), "Accept: application/json", "Content-Type: application/x-www-form-urlencoded")
		checkRuns(t, text, want, m.Labels == 0)

		_, text = s.ask("POST", "/v1/segment?opacity=1", bytes.NewReader(file), "Accept: image/jpeg")
		over, err := jpeg.Decode(bytes.NewReader(text))
		if err != nil || over.Bounds() != image.Rect(0, 0, 48, 32) {
			t.Fatalf("the overlay: %v", err)
		}
		// All opaque, a block's middle has its class's colour, as far as JPEG keeps colours.
		red, _, _, _ := over.At(2, 1).RGBA()
		if have, want := int(red>>8), int(p.Space().Classes[want.Pix[48+2]].Color[0]); math.Abs(float64(have-want)) > 40 {
			t.Errorf("the overlay has red %d, the class %d", have, want)
		}
		if err := s.end(); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve returns %v", err)
		}
	}
}

// checkRuns compares a JSON answer with labels.
func checkRuns(t *testing.T, text []byte, want *raster.Labels, confident bool) {
	t.Helper()
	var r result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var pix []uint8
	for i := 0; i < len(r.Runs); i += 2 {
		pix = append(pix, slices.Repeat([]uint8{uint8(r.Runs[i])}, r.Runs[i+1])...)
	}
	if r.Width != want.W || r.Height != want.H || !bytes.Equal(pix, want.Pix) {
		t.Error("the runs are not the labels")
	}
	counts := make([]int, 5)
	for _, id := range want.Pix {
		counts[id]++
	}
	for i, c := range r.Classes {
		if c.ID != i || *c.Pixels != counts[i] || !strings.HasPrefix(c.Color, "#") {
			t.Errorf("class %+v has %d pixels, want %d", c, *c.Pixels, counts[i])
		}
	}
	if c := r.Confidence; (c != nil) != confident || c != nil && (len(c.Data) != c.Width*c.Height || c.Width != 48) {
		t.Errorf("confidence %+v", c)
	}
}

// Every answer that is described is given, and none other: see [described].
func TestEveryAnswer(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	d := newDescribed(t)
	p := foreign(t, e, exporttest.Foreign{})
	small := DefaultLimits()
	small.Time, small.Pixels, small.Bytes, small.Concurrency, small.Queue = 300*time.Millisecond, 2000, 20_000, 1, 1
	s := start(t, Options{Model: p, Compare: foreign(t, e, exporttest.Foreign{}), Limits: small, Local: true, Version: "1.2.3"}, d)
	file := func() io.Reader { return bytes.NewReader(encoded(t, exporttest.Paint(checker(20, 10), step))) }

	s.want(200, `"version":"1.2.3"`, "GET", "/v1/model", nil)
	s.want(200, "", "GET", "/v1/model/file?model=compare", nil)
	s.want(200, "", "GET", "/v1/samples/0", nil)
	s.want(404, "from 0 to 3", "GET", "/v1/samples/4", nil)
	s.want(200, "alive", "GET", "/healthz", nil)
	s.want(200, "ready", "GET", "/readyz", nil)
	s.want(200, "", "POST", "/v1/segment?model=compare", file())
	s.want(400, "model=other: there is main and compare", "POST", "/v1/segment?model=other", file())
	s.want(400, "there is main and compare", "GET", "/v1/model/file?model=other", nil)
	s.want(400, "opacity=2: want a number from 0 to 1", "POST", "/v1/segment?opacity=2", file())
	s.want(400, "confidence=maybe: want true or false", "POST", "/v1/segment?confidence=maybe", file())
	s.want(400, "none of model, confidence, opacity", "POST", "/v1/segment?alpha=1", file())
	s.want(400, "the body is empty", "POST", "/v1/segment", nil)
	s.want(406, "application/json (runs of classes)", "POST", "/v1/segment", file(), "Accept: text/html, image/webp;q=0.5")
	s.want(415, "the body is a form: send the image's file itself", "POST", "/v1/segment", file(), "Content-Type: multipart/form-data; boundary=x")
	s.want(415, "want the file of an image", "POST", "/v1/segment", file(), "Content-Type: text/plain")
	s.want(422, "the image cannot be decoded: it is no picture of a format that is read", "POST", "/v1/segment", strings.NewReader("no image at all, this"))
	s.want(413, "the body is larger than the 20000 bytes", "POST", "/v1/segment", bytes.NewReader(make([]byte, 20_001)))
	s.want(413, "the body is larger than the 20000 bytes", "POST", "/v1/segment", io.MultiReader(bytes.NewReader(make([]byte, 20_001)))) // of unknown length
	s.want(413, "the image has 200×11 pixels, more than the 2000 that are taken", "POST", "/v1/segment", bytes.NewReader(encoded(t, raster.NewImage(200, 11))))

	stalled, pipe := io.Pipe()
	s.want(408, "the upload did not end within 300ms", "POST", "/v1/segment", stalled)
	pipe.Close()

	end, err := s.gate.begin(t.Context()) // somebody works
	if err != nil {
		t.Fatal(err)
	}
	s.want(503, "no answer within 300ms", "POST", "/v1/segment", file())
	first, _ := s.gate.enter()
	second, _ := s.gate.enter() // somebody waits as well
	s.want(429, "2 requests are being answered or wait", "POST", "/v1/segment", file())
	s.want(503, "the queue is full", "GET", "/readyz", nil)
	first()
	second()
	end()
	s.want(200, "", "POST", "/v1/segment", file())

	broken := start(t, Options{Model: foreign(t, e, exporttest.Foreign{W: 4, H: 2, Position: slices.Repeat([]float32{float32(math.NaN())}, 5*4*2)})}, d)
	broken.want(500, "logits are not finite", "POST", "/v1/segment", file())
	appended(t, p.Name())
	s.want(409, "start the server again", "GET", "/v1/model/file", nil)
	if err := os.Remove(p.Name()); err != nil {
		t.Fatal(err)
	}
	s.want(500, "no such file", "GET", "/v1/model/file", nil)

	s.want(403, "a page from elsewhere asks", "POST", "/v1/segment", file(), "Origin: http://elsewhere.invalid")
	s.want(403, "a page from elsewhere asks", "POST", "/v1/segment", file(), "Sec-Fetch-Site: cross-site")

	secret := start(t, Options{Model: foreign(t, e, exporttest.Foreign{}), Token: "open sesame"}, d)
	secret.want(200, "", "POST", "/v1/segment", file(), "Authorization: Bearer open sesame")
	for _, path := range []string{"/v1/model", "/v1/model/file", "/v1/samples/0", "/metrics"} {
		secret.want(401, "this server wants its token", "GET", path, nil)
		s.want(421, `is not called \"elsewhere.invalid\"`, "GET", path, nil, "Host: elsewhere.invalid")
	}
	secret.want(401, "this server wants its token", "POST", "/v1/segment", file(), "Authorization: Bearer open")
	secret.want(401, "this server wants its token", "POST", "/v1/segment", file(), "Authorization: open sesame")
	secret.want(200, "alive", "GET", "/healthz", nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		s.want(421, "ask for localhost", "GET", path, nil, "Host: elsewhere.invalid:80")
	}
	s.want(421, "ask for localhost", "POST", "/v1/segment", file(), "Host: elsewhere.invalid")
	for _, host := range []string{"localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST"} {
		s.want(200, "", "GET", "/metrics", nil, "Host: "+host)
	}
	for _, answer := range d.all() {
		if !d.seen[answer] {
			t.Errorf("%s is described, and was not seen", answer)
		}
	}
}

// TestNarrowImages: of few pixels a model may make many.
func TestNarrowImages(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	narrow := encoded(t, raster.NewImage(100_000, 1))
	for _, f := range []exporttest.Foreign{{H: 600, FreeShape: true}, {Multiple: 64}} {
		s := start(t, Options{Model: foreign(t, e, f), Limits: DefaultLimits()}, nil)
		if f.H == 0 {
			s.o.Limits.Pixels = 1_000_000
		}
		s.want(413, "the image of 100000×1 pixels", "POST", "/v1/segment", bytes.NewReader(narrow))
		s.want(200, "", "POST", "/v1/segment", bytes.NewReader(encoded(t, raster.NewImage(30, 20))))
		if f.H > 0 { // what the model makes of usual images is no matter of the limit
			s.o.Limits.Pixels = 1000
			s.want(200, "", "POST", "/v1/segment", bytes.NewReader(encoded(t, raster.NewImage(40, 20))))
		}
	}
}

func appended(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// What is not described is not there, and says so.
func TestElsewhere(t *testing.T) {
	s := start(t, Options{Model: foreign(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{})}, nil)
	s.want(404, "there is no /v2/segment: see /openapi.json", "GET", "/v2/segment", nil)
	s.want(405, "want POST", "GET", "/v1/segment", nil)
	s.want(405, "want GET", "DELETE", "/v1/model", nil)
	s.want(404, "there is no /page/../server.go", "GET", "/page/..%2Fserver.go", nil)
	s.want(404, "", "GET", "/ort/ort.wasm.min.mjs", nil) // there is no folder of it
	s.want(200, `"openapi": "3.1.0"`, "GET", "/openapi.json", nil)
	resp := s.want(200, "<title>t2sda", "GET", "/", nil)
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "http") {
		t.Errorf("the page may do %s", policy)
	}
	again, _ := s.ask("GET", "/", nil, "If-None-Match: "+resp.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("the same page again: %s", again.Status)
	}
}

// Whoever announces a body and does not send it gets its answer, and no connection for ever.
func TestUnsentBodies(t *testing.T) {
	limits := DefaultLimits()
	limits.Time = 200 * time.Millisecond
	s := start(t, Options{Model: foreign(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{}), Token: "secret", Limits: limits}, nil)
	const auth = "Authorization: Bearer secret\r\n"
	for head, want := range map[string]string{
		"POST /v1/segment HTTP/1.1\r\n":                                     "401 Unauthorized",
		"POST /v1/segment HTTP/1.1\r\n" + auth:                              "408 Request Timeout",
		"POST /v1/segment HTTP/1.1\r\nAccept: text/html\r\n" + auth:         "406 Not Acceptable",
		"POST /v1/segment HTTP/1.1\r\nContent-Type: text/plain\r\n" + auth:  "415 Unsupported Media Type",
		"POST /v1/segment?model=other HTTP/1.1\r\n" + auth:                  "400 Bad Request",
		"GET /healthz HTTP/1.1\r\n":                                         "200 OK",
		"POST //v1/segment HTTP/1.1\r\n":                                    "307 Temporary Redirect",
		"OPTIONS * HTTP/1.1\r\n":                                            "400 Bad Request",
		"GET /none HTTP/1.1\r\n":                                            "404 Not Found",
		"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + auth:    "200 OK",
		"PUT /v1/segment HTTP/1.1\r\nOrigin: https://elsewhere.example\r\n": "403 Forbidden",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(head, "chunked") {
				head += "Content-Length: 10\r\n"
			}
			if _, err := io.WriteString(conn, head+"Host: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn) // until the server closes the connection
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
				t.Errorf("%q gets %q, %v; want %s", head, answer, err, want)
			}
		})
	}
}

// deadlines is a client that tells until when it may take an answer.
type deadlines struct {
	*httptest.ResponseRecorder
	write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// Models are too large for the time of other requests.
func TestDownloadsHaveTimeByTheirSize(t *testing.T) {
	s := start(t, Options{Model: foreign(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{}), Limits: DefaultLimits()}, nil)
	for path, want := range map[string]time.Duration{"/healthz": s.o.Limits.Time + writeTime, "/v1/model/file": download(s.models[0].file.Size())} {
		d, began := &deadlines{ResponseRecorder: httptest.NewRecorder()}, time.Now()
		s.handler.ServeHTTP(d, httptest.NewRequest(http.MethodGet, path, nil))
		if took := time.Since(began); d.Code != http.StatusOK || d.write.Sub(began) < want || d.write.Sub(began) > want+took {
			t.Errorf("%s: %d, %v to be taken, want %v", path, d.Code, d.write.Sub(began), want)
		}
	}
	if have := download(330 << 20); have < time.Hour {
		t.Errorf("%v for 330 MiB", have)
	}
}

// An end finishes what runs, takes nothing new, and is no failure.
func TestEndFinishesWhatRuns(t *testing.T) {
	s := start(t, Options{Model: foreign(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{}), Limits: DefaultLimits()}, nil)
	var ends []func()
	for range DefaultLimits().Concurrency {
		end, err := s.gate.begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	answered := make(chan string, 1)
	go func() {
		resp, err := s.client.Post(s.url+"/v1/segment", "image/png", bytes.NewReader(encoded(t, exporttest.Paint(checker(9, 9), step))))
		if err != nil {
			answered <- err.Error()
			return
		}
		resp.Body.Close()
		answered <- resp.Status
	}()
	for len(s.gate.inside) == 0 {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.end() }()
	for !s.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended with a request inside: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), time.Second); err == nil {
		t.Error("the ending server takes connections")
	}
	for _, end := range ends {
		end()
	}
	if got := <-answered; got != "200 OK" {
		t.Errorf("the request that ran got %s", got)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) || s.Answered() != 1 {
		t.Errorf("Serve returns %v after %d answers", err, s.Answered())
	}
}

func TestNewRefuses(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	p := foreign(t, e, exporttest.Foreign{})
	other := exporttest.FiveClasses()
	other.Classes = slices.Clone(other.Classes[:2])
	two := exporttest.Open(t, e, exporttest.Foreign{Classes: 2, Step: step}.File(t), predict.Options{Form: predict.Form{Space: other}})
	for want, o := range map[string]Options{
		"have different classes": {Model: p, Compare: two, Limits: DefaultLimits()},
		"0 bytes":                {Model: p},
		"concurrency 0":          {Model: p, Limits: Limits{Bytes: 1, Pixels: 1, Time: 1}},
		"a queue of -1":          {Model: p, Limits: Limits{Bytes: 1, Pixels: 1, Time: 1, Concurrency: 1, Queue: -1}},
		"a batch of 0":           {Model: p, Limits: Limits{Bytes: 1, Pixels: 1, Time: 1, Concurrency: 1}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Models whose files are called the same are told apart by their folders.
func TestModelNames(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	first, second := foreign(t, e, exporttest.Foreign{}), foreign(t, e, exporttest.Foreign{})
	s := start(t, Options{Model: first, Compare: second}, nil)
	_, text := s.ask("GET", "/v1/model", nil)
	var d description
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for i, p := range []*predict.Predictor{first, second} {
		if want := filepath.Join(filepath.Base(filepath.Dir(p.Name())), "foreign.onnx"); d.Models[i].Name != want {
			t.Errorf("model %d is called %s, want %s", i, d.Models[i].Name, want)
		}
	}
	if got := fmt.Sprint(d.Classes[0]); !strings.Contains(got, "road #804080") {
		t.Errorf("classes %s", got)
	}
}
