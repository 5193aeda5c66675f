package mpi

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"t2sda/internal/mpi/mpitest"
	"t2sda/internal/ranks"
)

// rankEnv makes the test program a rank, whose part it names.
const rankEnv = "T2SDA_TEST_RANK"

// parts are what ranks of tests do.
var parts = map[string]func(w *World, g *ranks.Group) error{
	"sums":             sums,
	"sums by node":     sumsByNode,
	"timed":            timed,
	"dies":             dies(1, agree),
	"dies by node":     dies(3, add),
	"gives up":         givesUp(1, agree),
	"gives up by node": givesUp(3, add),
	"is patient":       isPatient,
}

func agree(g *ranks.Group) error { return g.Agree(nil) }
func add(g *ranks.Group) error   { return g.Add(make([]float32, 100)) }

// dies is a rank that ends without a word to the others, which wait for it.
func dies(rank int, wait func(g *ranks.Group) error) func(w *World, g *ranks.Group) error {
	return func(_ *World, g *ranks.Group) error {
		if g.Rank() == rank {
			os.Exit(7)
		}
		return wait(g)
	}
}

// givesUp is a rank that lets the others wait until they give up.
func givesUp(rank int, wait func(g *ranks.Group) error) func(w *World, g *ranks.Group) error {
	return func(w *World, g *ranks.Group) error {
		if g.Rank() == rank {
			time.Sleep(20 * time.Second) // until it is killed
		}
		time.AfterFunc(100*time.Millisecond, func() { w.SetPatience(300 * time.Millisecond) })
		err := wait(g)
		fmt.Println(err)
		w.Abort(9)
		return err
	}
}

// isPatient lets the others wait often, each time for less than their patience, and for more in all.
func isPatient(w *World, g *ranks.Group) error {
	const patience, times = 5 * time.Second, 3
	w.SetPatience(patience)
	for range times {
		if g.Rank() == 1 {
			time.Sleep(patience / 2)
		}
		if err := agree(g); err != nil {
			return err
		}
	}
	if g.Leads() {
		fmt.Println("waited")
	}
	return nil
}

func TestMain(m *testing.M) {
	part := os.Getenv(rankEnv)
	if part == "" {
		os.Exit(m.Run())
	}
	if err := beRank(part); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// beRank is a rank of this machine, or as if every two ranks had one of their own.
func beRank(part string) error {
	w, err := Start(os.Getenv)
	if err != nil || w == nil {
		return fmt.Errorf("no world: %w", err)
	}
	node := "here"
	if strings.HasSuffix(part, " by node") {
		node = fmt.Sprint("node-", w.Rank()/2)
	}
	g, err := ranks.New(w, node)
	if err != nil {
		return err
	}
	return errors.Join(parts[part](w, g), w.Close())
}

// sums adds more than a block up and gathers.
func sums(_ *World, g *ranks.Group) error {
	x := make([]float32, 1<<22+77)
	for i := range x {
		x[i] = float32(i%100 + g.Rank())
	}
	if err := g.Add(x); err != nil {
		return err
	}
	for i, v := range x {
		if want := float32(g.Size()*(i%100) + g.Size()*(g.Size()-1)/2); v != want {
			return fmt.Errorf("value %d is %g, want %g", i, v, want)
		}
	}
	all, err := ranks.Texts(g, []byte(strings.Repeat("x", g.Rank())))
	if err != nil || len(all[g.Size()-1]) != g.Size()-1 {
		return fmt.Errorf("%q, %w", all, err)
	}
	if g.Leads() {
		fmt.Println("added up by", g.Size())
	}
	return nil
}

// sumsByNode adds values up whose sum has other bits in other orders.
func sumsByNode(_ *World, g *ranks.Group) error {
	const n = 100_003
	sums := make([][]float32, g.Size())
	for r := range sums {
		sums[r] = make([]float32, n)
		for i := range sums[r] {
			sums[r][i] = float32(math.Exp(float64((i+1)*(r+3)%37 - 18)))
		}
	}
	x := slices.Clone(sums[g.Rank()])
	ranks.Fold(len(sums), func(i, j int) { ranks.AddTo(sums[i], sums[j]) })
	if err := g.Add(x); err != nil {
		return err
	}
	if !slices.Equal(x, sums[0]) {
		return fmt.Errorf("rank %d has another sum", g.Rank())
	}
	if g.Leads() {
		fmt.Println("added up", g.Order())
	}
	return nil
}

// timed sums up by ranks of this machine and as if of two, in turn, and tells the medians.
func timed(w *World, g *ranks.Group) error {
	byNode, err := ranks.New(w, fmt.Sprint("node-", w.Rank()/2))
	if err != nil {
		return err
	}
	const rounds = 21
	x := make([]float32, 84<<18) // 84 MiB
	var seconds [2][]float64
	for range rounds {
		for i, g := range []*ranks.Group{g, byNode} {
			begin := time.Now()
			if err := g.Add(x); err != nil {
				return err
			}
			seconds[i] = append(seconds[i], time.Since(begin).Seconds())
		}
	}
	if g.Leads() {
		for i := range seconds {
			slices.Sort(seconds[i])
		}
		fmt.Println("seconds:", seconds[0][rounds/2], seconds[1][rounds/2])
	}
	return nil
}

// start runs a part on so many ranks and returns what they say.
func start(t testing.TB, part string, size int) (string, error) {
	t.Helper()
	cmd := mpitest.Command(t, size, os.Args[0])
	cmd.Env = append(cmd.Env, rankEnv+"="+part)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func TestRanks(t *testing.T) {
	for _, size := range []int{2, 3} {
		text, err := start(t, "sums", size)
		if err != nil || !strings.Contains(text, fmt.Sprint("added up by ", size)) {
			t.Errorf("%d ranks: %v\n%s", size, err, text)
		}
	}
}

// TestByNode: ranks as if of several machines come to the bits of a fold over all.
func TestByNode(t *testing.T) {
	for size, want := range map[int]string{4: "within each of 2 nodes first, by 2 ranks each", 6: "within each of 3 nodes first, by 2", 3: "by all ranks at once: node-0 has 2 and node-1 1 of them"} {
		text, err := start(t, "sums by node", size)
		if err != nil || !strings.Contains(text, "added up "+want) {
			t.Errorf("%d ranks: %v\n%s", size, err, text)
		}
	}
}

// TestRankDies: the others do not wait for ever, and the launcher says which it was.
func TestRankDies(t *testing.T) {
	for part, size := range map[string]int{"dies": 2, "dies by node": 4} {
		begin := time.Now()
		text, err := start(t, part, size)
		if err == nil || !strings.Contains(text, fmt.Sprintf(",1],%d]", size-1)) || time.Since(begin) > 20*time.Second {
			t.Errorf("%s: after %v: %v\n%s", part, time.Since(begin), err, text)
		}
	}
}

func TestGiveUp(t *testing.T) {
	for part, size := range map[string]int{"gives up": 2, "gives up by node": 4} {
		begin := time.Now()
		text, err := start(t, part, size)
		if err == nil || !strings.Contains(text, errGaveUp.Error()) || time.Since(begin) > 15*time.Second {
			t.Errorf("%s: after %v: %v\n%s", part, time.Since(begin), err, text)
		}
	}
}

// TestPatience: a rank that was told to stop does not give up others that are slow, but come.
func TestPatience(t *testing.T) {
	if text, err := start(t, "is patient", 2); err != nil || !strings.Contains(text, "waited") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestLaunched(t *testing.T) {
	for _, k := range []struct {
		env   []string
		by    string
		ok    bool
		fault string
	}{
		{env: nil},
		{env: []string{"OMPI_COMM_WORLD_SIZE=1", "PMIX_RANK=0"}, by: "Open MPI's mpirun"},
		{env: []string{"OMPI_COMM_WORLD_SIZE=4"}, by: "Open MPI's mpirun", ok: true},
		{env: []string{"PMI_SIZE=2", "PMI_RANK=0"}, by: "PMI (", ok: true},
		{env: []string{"SLURM_NTASKS=4", "SLURM_PROCID=0"}}, // a batch script's own
		{env: []string{"SLURM_STEP_NUM_TASKS=4"}, by: "srun", ok: true},
		{env: []string{"SLURM_STEP_NUM_TASKS=4", "OMPI_COMM_WORLD_SIZE=1"}, by: "Open MPI's mpirun"},
		{env: []string{"PMIX_RANK=3"}, by: "PMIx", ok: true},
		{env: []string{"PMI_SIZE=many"}, fault: "PMI_SIZE=many in the environment is no number of ranks"},
		{env: []string{"RANK=0", "WORLD_SIZE=1"}},
		{env: []string{"RANK=0", "WORLD_SIZE=4", "LOCAL_RANK=0"}, fault: "start it as: mpirun -np 4 t2sda train …"},
	} {
		l, ok, err := launched(func(name string) string {
			for _, v := range k.env {
				if have, value, _ := strings.Cut(v, "="); have == name {
					return value
				}
			}
			return ""
		})
		if ok != k.ok || !strings.HasPrefix(l.by, k.by) || (err == nil) != (k.fault == "") || err != nil && !strings.Contains(err.Error(), k.fault) {
			t.Errorf("%v: %+v, %t, %v", k.env, l, ok, err)
		}
	}
}

// TestLibraries: the launcher's own library is tried first.
func TestLibraries(t *testing.T) {
	for size, want := range map[string]string{"OMPI_COMM_WORLD_SIZE": "libmpi.so.40", "PMI_SIZE": "libmpi.so.12"} {
		l, _, err := launched(func(name string) string { return map[string]string{size: "2"}[name] })
		if err != nil || l.libraries()[0] != want {
			t.Errorf("%s: %v, %v", size, l.libraries(), err)
		}
	}
	_, err := open([]string{"libnone.so.1", "libc.so.6"})
	if err == nil || !strings.Contains(err.Error(), "no MPI library can be loaded") || !strings.Contains(err.Error(), "libnone") || !strings.Contains(err.Error(), "libc.so.6: it has no function MPI_") {
		t.Error(err)
	}
}

// TestAlone: without a launcher there is no world, and nothing is loaded.
func TestAlone(t *testing.T) {
	if w, err := Start(func(string) string { return "" }); w != nil || err != nil {
		t.Errorf("%v, %v", w, err)
	}
}

func TestWithout(t *testing.T) {
	have := Without([]string{"HOME=/", "OMPI_COMM_WORLD_SIZE=2", "PMIX_RANK=1", "RANK=1", "OMPI_MCA_btl=tcp", "SLURM_STEP_NUM_TASKS=2"})
	if want := []string{"HOME=/", "OMPI_MCA_btl=tcp"}; !slices.Equal(have, want) {
		t.Errorf("%v, want %v", have, want)
	}
}

// BenchmarkSum times sums of 84 MiB by four ranks of one machine: at once, and by node as if
// there were two.
func BenchmarkSum(b *testing.B) {
	for b.Loop() {
		text, err := start(b, "timed", 4)
		var atOnce, byNode float64
		if _, scanErr := fmt.Sscanf(text, "seconds: %g %g", &atOnce, &byNode); err != nil || scanErr != nil {
			b.Fatalf("%v\n%s", err, text)
		}
		b.ReportMetric(1e3*atOnce, "ms-at-once")
		b.ReportMetric(1e3*byNode, "ms-by-node")
	}
}
