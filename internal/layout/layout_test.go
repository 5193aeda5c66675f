// Package layout tests the map of the house: who may import whom (docs/design.md).
package layout

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed lists, for every package, the packages of this module that it may
// import. A name ending in /… stands for everything below it, internal/… aside
// from cli for what every package may use.
var allowed = map[string][]string{
	"t2sda":                          {"t2sda/internal/cli", "t2sda/internal/interrupt", "t2sda/internal/terminal"},
	"t2sda/internal/cli":             {"t2sda/…"},
	"t2sda/configs":                  {},
	"t2sda/datasets":                 {"t2sda/internal/…"},
	"t2sda/datasets/streets":         {"t2sda/internal/…"},
	"t2sda/translate":                {"t2sda/internal/…"},
	"t2sda/translate/offline":        {"t2sda/translate", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/translate/neural":         {"t2sda/graphs/engine", "t2sda/internal/…"},
	"t2sda/graphs":                   {},
	"t2sda/graphs/cases":             {"t2sda/graphs", "t2sda/graphs/engine"},
	"t2sda/graphs/engine":            {"t2sda/internal/…"},
	"t2sda/graphs/engine/enginetest": {"t2sda/graphs", "t2sda/graphs/engine"},
	"t2sda/graphs/engine/onnxtest":   {},
	"t2sda/graphs/graphtest":         {"t2sda/graphs", "t2sda/internal/…"},
	"t2sda/graphs/nets":              {"t2sda/graphs", "t2sda/internal/…"},
	"t2sda/graphs/weights":           {"t2sda/graphs/weights/pickle", "t2sda/internal/…"},
	"t2sda/graphs/weights/fetch":     {"t2sda/graphs/weights", "t2sda/internal/…"},
	"t2sda/graphs/weights/pickle":    {},
	"t2sda/graphs/weights/fit":       {"t2sda/graphs/nets", "t2sda/graphs/weights"},
	"t2sda/graphs/program":           {"t2sda/graphs", "t2sda/graphs/engine"},
	"t2sda/losses":                   {"t2sda/graphs", "t2sda/graphs/program", "t2sda/internal/…"},
	"t2sda/export":                   {"t2sda/export/predict", "t2sda/graphs", "t2sda/graphs/…", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/export/predict":           {"t2sda/graphs/engine", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/export/reel":              {"t2sda/export/predict", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/export/serve":             {"t2sda/export/predict", "t2sda/datasets", "t2sda/datasets/streets", "t2sda/internal/…"},
	"t2sda/export/quantize":          {"t2sda/graphs/engine", "t2sda/internal/…"},
	"t2sda/export/score":             {"t2sda/export/predict", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/export/picture":           {"t2sda/export/score", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/export/report":            {"t2sda/export/picture", "t2sda/export/score", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/export/exporttest":        {"t2sda/export", "t2sda/export/predict", "t2sda/graphs/…", "t2sda/datasets", "t2sda/internal/…"},
	"t2sda/orchestrator":             {"t2sda/…"},
	"t2sda/orchestrator/learner": {
		"t2sda/configs", "t2sda/datasets", "t2sda/graphs", "t2sda/graphs/…", "t2sda/losses", "t2sda/translate", "t2sda/internal/…",
	},
	"t2sda/orchestrator/analyze": {
		"t2sda/orchestrator", "t2sda/orchestrator/features", "t2sda/configs", "t2sda/datasets", "t2sda/export/picture", "t2sda/export/score",
		"t2sda/graphs/engine", "t2sda/internal/…",
	},
	"t2sda/orchestrator/features": {
		"t2sda/datasets", "t2sda/export/predict", "t2sda/graphs", "t2sda/graphs/engine", "t2sda/graphs/nets", "t2sda/graphs/program", "t2sda/losses", "t2sda/internal/…",
	},
	"t2sda/orchestrator/sweep": {"t2sda/orchestrator", "t2sda/configs", "t2sda/datasets", "t2sda/export/picture", "t2sda/export/score", "t2sda/internal/…"},
	"t2sda/orchestrator/trial": {
		"t2sda/configs", "t2sda/datasets", "t2sda/datasets/streets", "t2sda/graphs/engine", "t2sda/graphs/weights", "t2sda/orchestrator/learner", "t2sda/internal/ranks",
	},
	"t2sda/orchestrator/doctor": {
		"t2sda/configs", "t2sda/datasets", "t2sda/graphs/…", "t2sda/orchestrator/learner", "t2sda/orchestrator/trial", "t2sda/internal/…",
	},
	"t2sda/orchestrator/bench": {
		"t2sda/orchestrator", "t2sda/orchestrator/learner", "t2sda/orchestrator/trial", "t2sda/configs", "t2sda/datasets", "t2sda/graphs/engine", "t2sda/internal/…",
	},
	"t2sda/docs/examples":      {},
	"t2sda/docs/examples/go":   {"t2sda/graphs/engine"},
	"t2sda/internal/inventory": {"t2sda/graphs/engine", "t2sda/internal/…"},
	"t2sda/internal/…":         {"t2sda/internal/…"},
}

// onlyImporter names the one package that may import an outside one.
var onlyImporter = map[string]string{
	"github.com/yalue/onnxruntime_go": "t2sda/graphs/engine",
	"github.com/chromedp/chromedp":    "t2sda/internal/browsertest",
}

// testsOnly is what the program must not come to hold: only tests import it.
var testsOnly = []string{"t2sda/internal/browsertest", "t2sda/internal/faulttest", "t2sda/internal/ffmpeg/ffmpegtest", "t2sda/internal/nccl/nccltest", "t2sda/internal/peaktest"}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	for _, p := range list(t) {
		rule, ok := ruleOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no rule: say in docs/design.md and here what it may import", p.ImportPath)
		}
		for _, i := range p.Imports {
			if owner := onlyImporter[i]; owner != "" && owner != p.ImportPath {
				t.Errorf("%s imports %s, which only %s may", p.ImportPath, i, owner)
			}
			if slices.Contains(testsOnly, i) {
				t.Errorf("%s imports %s, which only tests may", p.ImportPath, i)
			}
			if (i == "t2sda" || strings.HasPrefix(i, "t2sda/")) && !matches(rule, i) {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
			if i == "t2sda/internal/cli" && p.ImportPath != "t2sda" {
				t.Errorf("%s must not import %s", p.ImportPath, i)
			}
		}
	}
}

func ruleOf(path string) ([]string, bool) {
	if rule, ok := allowed[path]; ok {
		return rule, true
	}
	if strings.HasPrefix(path, "t2sda/internal/") {
		return allowed["t2sda/internal/…"], true
	}
	return nil, false
}

func matches(rule []string, path string) bool {
	return slices.ContainsFunc(rule, func(r string) bool {
		prefix, below := strings.CutSuffix(r, "…")
		return r == path || below && strings.HasPrefix(path, prefix)
	})
}

// list asks the go command for every package of the module, without tests.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "t2sda/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
