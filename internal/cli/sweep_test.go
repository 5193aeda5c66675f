package cli

import (
	"os"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
)

func TestSweepCommand(t *testing.T) {
	enginetest.Isolate(t)
	t.Setenv(childEnv, "1")
	t.Chdir(t.TempDir())
	if out := succeed(t, "sweep", "--list"); !strings.Contains(out, "table7-directions") || !strings.Contains(out, "10 rows × 3 seeds  Directions of pulling") {
		t.Errorf("the list is\n%s", out)
	}
	line := withTiny("sweep", "losses", "--rows", "none", "--seeds", "4", "--out", "tables")
	if out := succeed(t, append(line, "--dry-run")...); !strings.Contains(out, "to be trained") || !strings.Contains(out, "1 run, 1 to be trained") {
		t.Errorf("the dry run printed\n%s", out)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("the dry run left %v, %v", left, err)
	}
	if out := succeed(t, line...); !strings.Contains(out, "[1/1] none, seed 4: target mIoU ") || !strings.Contains(out, "infonce ") {
		t.Errorf("the sweep printed\n%s", out)
	}
	for _, name := range []string{"tables/losses.json", "tables/losses.md", "tables/losses.png", "runs/sweeps/runs"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	fail(t, exitUsage, "name a sweep", "sweep")
	fail(t, exitUsage, `"nope": neither one of the program's (alpha, `, "sweep", "nope")
	fail(t, exitUsage, "no such key", "sweep", "losses", "bogus=1")
	fail(t, exitUsage, `there is no row "nobody"`, "sweep", "losses", "--rows", "nobody")
}
