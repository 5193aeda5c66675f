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
	for _, table := range []struct {
		from, ours, theirs string
		functions          int
	}{{"struct t2sda_api {", "t2sda_api", "OrtApi", 26}, {"struct t2sda_op {", "t2sda_op", "OrtCustomOp", 25}} {
		_, text, _ := strings.Cut(string(source), table.from)
		text, _, _ = strings.Cut(text, "};")
		functions := regexp.MustCompile(`\(\*(\w+)\)\(`).FindAllStringSubmatch(text, -1)
		if len(functions) != table.functions {
			t.Errorf("%s declares %d functions: %v", table.ours, len(functions), functions)
		}
		for _, f := range functions {
			fmt.Fprintf(&c, "_Static_assert(offsetof(%s, %s) == offsetof(%s, %[2]s), \"%[2]s\");\n", table.theirs, f[1], table.ours)
		}
	}
	fmt.Fprintf(&c, "_Static_assert(sizeof(OrtCustomOp) == sizeof(t2sda_op), \"size\");\n")
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
