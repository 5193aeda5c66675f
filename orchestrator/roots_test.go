package orchestrator

import (
	"path/filepath"
	"strings"
	"testing"

	"t2sda/configs"
)

// TestCheckRoots: what is missing is named once, with the fields that name it, of what the
// runs read and what a name alone can tell.
func TestCheckRoots(t *testing.T) {
	dir := t.TempDir()
	there, gone, far := filepath.Join(dir, "."), filepath.Join(dir, "gone"), filepath.Join(dir, "far")
	run := func(method configs.Method, source, target, eval string) configs.Config {
		c := configs.Default()
		c.Method = method
		c.Data.Source.Root, c.Data.Target.Root, c.Data.Eval.Root = source, target, eval
		return c
	}
	if err := checkRoots([]configs.Config{
		run("t2s", there, there, there),
		run("source-only", there, gone, there), // which it does not read
		run("t2s", "s3://bucket/a-{000..9}.tar", filepath.Join(dir, "{split}-*.tar"), there),
	}); err != nil {
		t.Error(err)
	}
	err := checkRoots([]configs.Config{run("source-only", gone, far, far), run("t2s", gone, far, far), run("t2s", there, there, there)})
	if err == nil {
		t.Fatal("nothing is missed")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "nothing is trained: data.source.root: ") || !strings.Contains(lines[0], gone) ||
		!strings.HasPrefix(lines[1], "data.target.root, data.eval.root: ") || !strings.Contains(lines[1], far) {
		t.Errorf("have %q", lines)
	}
}
