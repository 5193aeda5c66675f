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
	table, _, _ := strings.Cut(string(source), "// OrtCustomOp:")
	functions := regexp.MustCompile(`\(\*(\w+)\)\(`).FindAllStringSubmatch(table, -1)
	if len(functions) != 25 {
		t.Errorf("%d functions are declared: %v", len(functions), functions)
	}
	for _, f := range functions {
		fmt.Fprintf(&c, "_Static_assert(offsetof(OrtApi, %[1]s) == offsetof(t2sda_api, %[1]s), \"%[1]s\");\n", f[1])
	}
	_, table, _ = strings.Cut(string(source), "struct t2sda_op {")
	table, _, _ = strings.Cut(table, "};")
	members := regexp.MustCompile(`\(\*(\w+)\)\(`).FindAllStringSubmatch(table, -1)
	for _, f := range members {
		fmt.Fprintf(&c, "_Static_assert(offsetof(OrtCustomOp, %[1]s) == offsetof(t2sda_op, %[1]s), \"%[1]s\");\n", f[1])
	}
	fmt.Fprintf(&c, "_Static_assert(sizeof(OrtCustomOp) == sizeof(t2sda_op), \"size\");\n")
	if len(members) != 25 {
		t.Errorf("an operator has %d functions: %v", len(members), members)
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
