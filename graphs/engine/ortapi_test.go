package engine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAPITable compares the places of functions in ortapi.h with those in the header of
// the onnxruntime_go that this program is built with.
func TestAPITable(t *testing.T) {
	source, err := os.ReadFile("ortapi.h")
	if err != nil {
		t.Fatal(err)
	}
	var c strings.Builder
	c.WriteString("#include \"onnxruntime_c_api.h\"\n#include \"ortapi.h\"\n")
	c.WriteString("_Static_assert(ORT_API_VERSION == T2SDA_API_VERSION, \"version\");\n")
	table, _, _ := strings.Cut(string(source), "} t2sda_api;")
	functions := regexp.MustCompile(`\(\*(\w+)\)\(`).FindAllStringSubmatch(table, -1)
	if len(functions) != 15 {
		t.Errorf("%d functions are declared: %v", len(functions), functions)
	}
	for _, f := range functions {
		fmt.Fprintf(&c, "_Static_assert(offsetof(OrtApi, %[1]s) == offsetof(t2sda_api, %[1]s), \"%[1]s\");\n", f[1])
	}
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Skip("no Go toolchain here: ", err)
	}
	file := filepath.Join(t.TempDir(), "places.c")
	if err := os.WriteFile(file, []byte(c.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	compiler, err := exec.CommandContext(t.Context(), "go", "env", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), strings.TrimSpace(string(compiler)), "-fsyntax-only", "-I.", "-I"+strings.TrimSpace(string(dir)), file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
