package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"t2sda/graphs/cases"
	"t2sda/graphs/engine"
	"t2sda/internal/rng"
)

// operatorTolerance bounds |device − CPU| ≤ tolerance·max(1, |CPU|) for results and
// gradients of single operators in float32: five times the bound that the tests hold the
// CPU to against float64, because devices add up in another order.
const operatorTolerance = 1e-4

// operators runs every operator and its gradient on the device and, with one thread and
// without the runtime's optimisations, on the CPU.
func (x *examination) operators(ctx context.Context) Check {
	if err := x.need(); err != nil {
		return failed(err)
	}
	var bad []string
	seen, errs := map[string]bool{}, map[string]float64{} // largest error by operator
	n, worst, at := 0, 0.0, ""
	for _, c := range cases.All() {
		if x.Quick && seen[c.Op] {
			continue
		}
		seen[c.Op] = true
		n++
		d, err := x.operator(ctx, c)
		switch {
		case ctx.Err() != nil:
			return failed(ctx.Err())
		case err != nil:
			bad = append(bad, fmt.Sprintf("%s: %v", c.Name(), err))
			continue
		case !(d <= operatorTolerance):
			bad = append(bad, fmt.Sprintf("%s is off by %.2g", c.Name(), d))
		}
		errs[c.Op] = max(errs[c.Op], d)
		if d > worst {
			worst, at = d, c.Name()
		}
	}
	largest := map[string]any{}
	for op, d := range errs {
		largest[op] = number(d)
	}
	values := map[string]any{"cases": n, "operators": len(seen), "tolerance": operatorTolerance, "worst": largest, "failures": bad}
	if len(bad) > 0 {
		return fail("this device's results are wrong: choose another device, driver or library", "%d of %d cases %s differ from the CPU's (allowed: %g): %s",
			len(bad), n, x.onDevice(), operatorTolerance, some(bad)).with(values)
	}
	detail := fmt.Sprintf("%d cases of %d operators and their gradients %s as on the CPU, largest difference %.2g", n, len(seen), x.onDevice(), worst)
	if at != "" {
		detail += " (" + at + ")"
	}
	return pass("%s", detail).with(values)
}

// operator returns the largest difference between device and CPU in the outputs of a case.
func (x *examination) operator(ctx context.Context, c cases.Case) (float64, error) {
	g, err := c.Graph()
	if err != nil {
		return 0, err
	}
	inputs := c.Inputs(rng.New(1, 0, c.Name()))
	got, err := cases.Run(ctx, x.engine, g, inputs)
	if err != nil {
		return 0, err
	}
	want, err := cases.Run(ctx, x.plain, g, inputs)
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for name, w := range want {
		a, errA := cases.Values(w)
		b, errB := cases.Values(got[name])
		if errA != nil || errB != nil || len(a) != len(b) {
			return 0, fmt.Errorf("output %s has %d values, not %d", name, len(b), len(a))
		}
		if x.Disturb != nil {
			x.Disturb(c.Name(), b)
		}
		for i := range a {
			d := math.Abs(a[i]-b[i]) / max(1, math.Abs(a[i]))
			if math.IsNaN(d) {
				return math.Inf(1), nil
			}
			worst = max(worst, d)
		}
	}
	return worst, nil
}

// placement sums up where the nodes of all sessions so far run.
func (x *examination) placement(context.Context) Check {
	if err := x.need(); err != nil {
		return failed(err)
	}
	if !x.engine.HasOwnMemory() {
		return skip("the CPU runs everything")
	}
	return placed(x.placements)
}

func placed(sessions []engine.Placement) Check {
	nodes, back := map[string]int{}, map[string][]string{}
	for _, p := range sessions {
		for provider, n := range p.Providers {
			nodes[provider] += n
		}
		for _, op := range p.Fallback {
			back[op] = append(back[op], p.Session)
		}
	}
	all := engine.Placement{Providers: nodes}
	values := map[string]any{"sessions": len(sessions), "nodes": nodes, "fallback": back}
	if len(back) == 0 {
		return pass("%d sessions: %s; the CPU runs none for want of a kernel", len(sessions), all).with(values)
	}
	var names []string
	for op, sessions := range back {
		names = append(names, fmt.Sprintf("%s (%s)", op, some(sessions)))
	}
	slices.Sort(names)
	return fail("their data cross at every run, which is slow but right; runtime.strict=true refuses it", "%d sessions: %s; the device lacks %s", len(sessions), all, strings.Join(names, ", ")).with(values)
}
