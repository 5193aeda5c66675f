package sweep

import (
	"bytes"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
)

// TestShards: shards train the runs of a sweep, each once, and the sweep finds them.
func TestShards(t *testing.T) {
	enginetest.Isolate(t)
	t.Setenv(childEnv, "1")
	t.Chdir(t.TempDir())
	s := load(t, "name: s\nseeds: [1, 2, 3]\nbaseline: a\n"+tiny+"\n  train.iterations: 2\nrows:\n  - {name: a}\n")
	trained := 0
	for _, k := range []struct {
		shard Shard
		runs  int
	}{{Shard{2, 2}, 1}, {Shard{1, 2}, 2}} {
		var out bytes.Buffer
		p := plan(t, s, Options{Jobs: 1, Shard: k.shard})
		table, err := p.Run(t.Context(), quiet(&out))
		if err != nil || table != nil {
			t.Fatalf("%+v: %v, %v", k.shard, table, err)
		}
		n := strings.Count(out.String(), ": target mIoU")
		if trained += n; n != k.runs {
			t.Errorf("%+v: %d runs\n%s", k.shard, n, out.String())
		}
		if len(p.jobs) != 3 {
			t.Errorf("%+v: of 3 jobs the plan has %d left", k.shard, len(p.jobs))
		}
	}
	var out bytes.Buffer
	table, err := plan(t, s, Options{Jobs: 1}).Run(t.Context(), quiet(&out))
	if err != nil || trained != 3 || strings.Contains(out.String(), "/3] a, seed") || len(table.Runs) != 3 {
		t.Errorf("%v, %+v\n%s", err, table, out.String())
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"": {}, "1/1": {1, 1}, "2/8": {2, 8}} {
		if s, err := ParseShard(text); s != want || err != nil {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"2", "0/2", "3/2", "a/b", "1/", "-1/2", "1/2/3"} {
		if s, err := ParseShard(text); err == nil || !strings.Contains(err.Error(), "want i/n with i from 1 to n") {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}
