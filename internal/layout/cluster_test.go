package layout

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const clusterFiles = root + "/docs/cluster"

// TestClusterFiles: the page speaks of every file that lies there for clusters.
func TestClusterFiles(t *testing.T) {
	page, err := os.ReadFile(clusterFiles + ".md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(clusterFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.Contains(string(page), "(cluster/"+f.Name()+")") {
			t.Errorf("docs/cluster.md has no link to cluster/%s", f.Name())
		}
	}
}

// TestClusterScripts runs what schedulers would run, with programs in place of theirs that
// say what they were called with and end with a code.
func TestClusterScripts(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	begin := "-c /data/run.yaml output=/data/runs name=cityscapes runtime.device=cuda"
	const (
		srun    = "srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=6 t2sda train "
		mpirun  = "mpirun -np 8 --bind-to none -x ONNXRUNTIME_LIB -x LD_LIBRARY_PATH -x XDG_CACHE_HOME t2sda train "
		again   = "--resume /data/runs/cityscapes"
		sweep   = "srun --ntasks=1 --cpus-per-task=6 t2sda sweep table --shard 3/8 --jobs 1 runtime.threads=6 seed=1"
		requeue = "scontrol requeue 10"
		one     = "scontrol requeue 7_3" // of an array, whose own id would requeue all of its tasks
	)
	slurm := []string{"/data/runs/cityscapes", "-c", "gta5", "seed=1"}
	for _, c := range []struct {
		file  string
		args  []string
		begun bool
		code  int
		want  []string
	}{
		{"train.sbatch", slurm, false, 0, []string{srun + "-c gta5 seed=1 output=/data/runs name=cityscapes"}},
		{"train.sbatch", slurm, true, 138, []string{srun + again, requeue}},
		{"train.sbatch", slurm, true, 143, []string{srun + again, requeue}},
		{"train.sbatch", slurm, true, 1, []string{srun + again}},
		{"sweep.sbatch", []string{"table", "seed=1"}, false, 0, []string{sweep}},
		{"sweep.sbatch", []string{"table", "seed=1"}, false, 138, []string{sweep, one}},
		{"mpijob.yaml", nil, false, 0, []string{mpirun + begin}},
		{"mpijob.yaml", nil, true, 138, []string{mpirun + again}},
		{"job.yaml", nil, false, 0, []string{"t2sda train " + begin}},
		{"job.yaml", nil, true, 2, []string{"t2sda train " + again}},
		{"sweep.yaml", nil, false, 0, []string{"t2sda sweep table7-directions --shard 3/8 --jobs 1 output=/data/runs runtime.device=cuda runtime.threads=8"}},
	} {
		data := filepath.Join(t.TempDir(), "data")
		if c.begun {
			if err := os.MkdirAll(data+"/runs/cityscapes", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(data+"/runs/cityscapes/config.yaml", nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		here := func(text string) string { return strings.ReplaceAll(text, "/data", data) }
		cmd := exec.CommandContext(t.Context(), bash, "-c", here(script(t, c.file)), c.file)
		for _, arg := range c.args {
			cmd.Args = append(cmd.Args, here(arg))
		}
		cmd.Env = []string{
			"PATH=" + stubs(t, "srun", "mpirun", "t2sda", "scontrol") + ":" + os.Getenv("PATH"), fmt.Sprint("CODE=", c.code),
			"SLURM_JOB_ID=10", "SLURM_ARRAY_JOB_ID=7", "SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_COUNT=8", "SLURM_CPUS_PER_TASK=6", "JOB_COMPLETION_INDEX=2",
		}
		out, err := cmd.CombinedOutput()
		ended := new(exec.ExitError)
		if err != nil && !errors.As(err, &ended) || cmd.ProcessState.ExitCode() != c.code {
			t.Errorf("%s: %v, want code %d", c.file, err, c.code)
		}
		if want := here(strings.Join(c.want, "\n") + "\n"); string(out) != want {
			t.Errorf("%s, code %d, calls\n%swant\n%s", c.file, c.code, out, want)
		}
	}
}

// stubs returns a folder of programs that print how they were called and end with $CODE.
func stubs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		text := "#!/bin/sh\necho \"" + name + " $*\"\nexit $CODE\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// script returns what a scheduler runs by a file: all of a script, of a manifest the text
// after bash -c.
func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(clusterFiles, name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".yaml") {
		return string(text)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	found := commands(&document)
	if len(found) != 1 || len(found[0]) != 3 || found[0][0] != "bash" || found[0][1] != "-c" {
		t.Fatalf("%s has the commands %q, want one of bash -c", name, found)
	}
	return found[0][2]
}

// commands collects the values of all fields called command.
func commands(n *yaml.Node) (all [][]string) {
	for i, child := range n.Content {
		var words []string
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "command" && child.Decode(&words) == nil {
			all = append(all, words)
		}
		all = append(all, commands(child)...)
	}
	return all
}
