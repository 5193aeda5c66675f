package orchestrator

import "t2sda/export/report"

// pulled sums up queries and weights per class over the iterations that pulled;
// nil where none did.
func pulled(events []Event) []report.Pulled {
	var out []report.Pulled
	iterations := 0
	for _, e := range events {
		if len(e.Queries) == 0 || len(e.QueryWeights) != len(e.Queries) {
			continue
		}
		if out == nil {
			out = make([]report.Pulled, len(e.Queries))
		}
		if len(e.Queries) != len(out) {
			continue // of another network: the file was changed by hand
		}
		iterations++
		for c, n := range e.Queries {
			out[c].Queries += float64(n)
			out[c].Weight += float64(n) * e.QueryWeights[c]
			if n > 0 {
				out[c].Iterations++
			}
		}
	}
	for c := range out {
		out[c].Queries /= float64(iterations)
		out[c].Weight /= float64(iterations)
		out[c].Iterations /= float64(iterations)
	}
	return out
}
