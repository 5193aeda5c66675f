package serve

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// metrics are what an operator watches, in Prometheus's text format (version 0.0.4).
type metrics struct {
	pixels atomic.Int64 // of images that were answered

	mu       sync.Mutex
	requests map[[2]string]int64   // by route and status
	seconds  map[string]*histogram // by route
	images   *histogram            // of a run
}

func newMetrics() *metrics {
	return &metrics{requests: map[[2]string]int64{}, seconds: map[string]*histogram{}, images: newHistogram(1, 2, 4, 8, 16, 32)}
}

// histogram counts values up to each of its bounds.
type histogram struct {
	bounds []float64
	counts []int64 // one more, for those beyond
	sum    float64
}

func newHistogram(bounds ...float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]int64, len(bounds)+1)}
}

func (h *histogram) add(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i]++
	h.sum += v
}

// answered counts a request.
func (m *metrics) answered(route string, status int, seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[[2]string{route, fmt.Sprint(status)}]++
	h := m.seconds[route]
	if h == nil {
		h = newHistogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
		m.seconds[route] = h
	}
	h.add(seconds)
}

// ran counts a run of the session.
func (m *metrics) ran(images int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images.add(float64(images))
}

// total is how many requests to a route were answered with success.
func (m *metrics) total(route string) (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests[[2]string{route, "200"}]
}

// write writes everything.
func (m *metrics) write(out io.Writer, g *gate) error {
	var b strings.Builder
	head := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	m.mu.Lock()
	head("t2sda_requests_total", "counter", "Requests that were answered, by route and status.")
	for _, k := range sortedKeys(m.requests) {
		fmt.Fprintf(&b, "t2sda_requests_total{route=%q,code=%q} %d\n", k[0], k[1], m.requests[k])
	}
	head("t2sda_request_seconds", "histogram", "Time from a request's head to the end of its answer.")
	for _, route := range slices.Sorted(maps.Keys(m.seconds)) {
		m.seconds[route].write(&b, "t2sda_request_seconds", fmt.Sprintf("route=%q", route))
	}
	head("t2sda_run_images", "histogram", "Images that shared a run of the model.")
	m.images.write(&b, "t2sda_run_images", "")
	m.mu.Unlock()
	for _, v := range []struct {
		name, kind, help string
		value            int64
	}{
		{"t2sda_pixels_total", "counter", "Pixels of the images that were answered.", m.pixels.Load()},
		{"t2sda_requests_inside", "gauge", "Requests for labels that were let in.", int64(len(g.inside))},
		{"t2sda_requests_at_work", "gauge", "Requests for labels that are decoded, run or answered.", int64(len(g.work))},
		{"t2sda_requests_inside_limit", "gauge", "Beyond so many requests, status 429.", int64(cap(g.inside))},
		{"go_goroutines", "gauge", "Goroutines.", int64(runtime.NumGoroutine())},
		{"process_open_fds", "gauge", "Open files, 0 where that is not known.", openFiles()},
	} {
		head(v.name, v.kind, v.help)
		fmt.Fprintf(&b, "%s %d\n", v.name, v.value)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func sortedKeys(m map[[2]string]int64) [][2]string {
	var keys [][2]string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	return keys
}

// write writes a histogram's lines. label may be empty.
func (h *histogram) write(b *strings.Builder, name, label string) {
	more, own := "", ""
	if label != "" {
		more, own = label+",", "{"+label+"}"
	}
	n := int64(0)
	for i, bound := range h.bounds {
		n += h.counts[i]
		fmt.Fprintf(b, "%s_bucket{%sle=\"%v\"} %d\n", name, more, bound, n)
	}
	n += h.counts[len(h.bounds)]
	fmt.Fprintf(b, "%s_bucket{%sle=\"+Inf\"} %d\n%s_sum%s %g\n%s_count%s %d\n", name, more, n, name, own, h.sum, name, own, n)
}

// openFiles counts this process's descriptors, where the system lists them.
func openFiles() int64 {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return int64(len(names) - 1) // less that of the folder itself
}
