package serve

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/export/exporttest"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// Jobs that wait share a run where the model lets them; those given up are not run.
func TestRunnerBatches(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, c := range []struct {
		model exporttest.Foreign
		want  []int
	}{
		{exporttest.Foreign{FreeBatch: true, FreeShape: true}, []int{1, 3}},
		{exporttest.Foreign{}, []int{1, 1, 1, 1}},
	} {
		p := foreign(t, e, c.model)
		var runs []int
		began, goOn := make(chan bool), make(chan bool)
		r := newRunner(p, 4, func(n int) {
			if runs = append(runs, n); len(runs) == 1 {
				began <- true
				<-goOn
			}
		})
		results := make(chan error, 5)
		ask := func(ctx context.Context, seed uint64) {
			img := exporttest.RandomImages(rand.New(rand.NewPCG(seed, 1)), 1, 12, 8)[0]
			task := p.NewTask()
			defer task.Close()
			want, err := p.Predict(t.Context(), img)
			if err == nil {
				err = task.Fill(img)
			}
			if err == nil {
				err = r.run(ctx, task)
			}
			if err == nil {
				var have *raster.Labels
				if have, err = task.Labels(12, 8); err == nil && !slices.Equal(have.Pix, want.Pix) {
					err = errors.New("other labels than alone")
				}
			}
			results <- err
		}
		go ask(t.Context(), 0)
		<-began
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 3 {
			go ask(t.Context(), uint64(i+1))
		}
		go ask(gone, 9)
		for waited := 0; len(r.jobs) < min(4, cap(r.jobs)) && waited < 1000; waited++ { // the queue of one image holds one
			time.Sleep(time.Millisecond)
		}
		close(goOn)
		canceled := 0
		for range 5 {
			if err := <-results; errors.Is(err, context.Canceled) {
				canceled++
			} else if err != nil {
				t.Error(err)
			}
		}
		r.close()
		if canceled != 1 || !slices.Equal(runs, c.want) {
			t.Errorf("%+v: runs of %v images, want %v; %d given up", c.model, runs, c.want, canceled)
		}
	}
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"": answerLabels, "*/*": answerLabels, "image/*": answerLabels, "image/jpeg": answerOverlay, "application/json": answerJSON,
		"application/json;q=0.5, image/png;q=0.4": answerJSON, "image/png;q=0, */*": answerJSON, "text/html, */*;q=0.1": answerLabels,
		"image/*;q=0.2, image/jpeg;q=0.9": answerOverlay, "text/html": "", "image/png;q=0": "", "image/png;q=x": "", "nonsense": "", "image/webp": "",
	} {
		got, err := negotiate([]string{accept})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("Accept: %s: %q, %v; want %q", accept, got, err, want)
		}
	}
}

// Metrics are in Prometheus's format, and count.
func TestMetrics(t *testing.T) {
	s := start(t, Options{Model: foreign(t, enginetest.Open(t, engine.Options{}), exporttest.Foreign{})}, nil)
	s.want(200, "", "POST", "/v1/segment", bytes.NewReader(encoded(t, exporttest.Paint(checker(20, 10), step))))
	s.want(422, "", "POST", "/v1/segment", strings.NewReader("what is this?"))
	_, text := s.ask("GET", "/metrics", nil)
	for _, want := range []string{
		`t2sda_requests_total{route="POST /v1/segment",code="200"} 1`, `t2sda_requests_total{route="POST /v1/segment",code="422"} 1`,
		`t2sda_request_seconds_count{route="POST /v1/segment"} 2`, `t2sda_request_seconds_bucket{route="POST /v1/segment",le="+Inf"} 2`,
		`t2sda_run_images_bucket{le="1"} 1`, `t2sda_run_images_count 1`, "t2sda_pixels_total 200", "t2sda_requests_inside 0", "t2sda_requests_inside_limit 18",
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	typed := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			typed, _, _ = strings.Cut(name, " ")
		} else if !strings.HasPrefix(line, "#") && (typed == "" || !strings.HasPrefix(line, typed) || len(strings.Fields(line[strings.LastIndex(line, "}")+1:])) < 1) {
			t.Errorf("the line %q follows the type of %s", line, typed)
		}
	}
	h := newHistogram(1, 2)
	for _, v := range []float64{0.5, 1, 1.5, 9} {
		h.add(v)
	}
	var b strings.Builder
	h.write(&b, "x", "")
	if want := "x_bucket{le=\"1\"} 2\nx_bucket{le=\"2\"} 3\nx_bucket{le=\"+Inf\"} 4\nx_sum 12\nx_count 4\n"; b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
}
