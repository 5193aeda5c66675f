package orchestrator

import (
	"os"
	"path/filepath"
	"testing"

	"t2sda/configs"
	"t2sda/internal/atomicfile"
	"t2sda/internal/faulttest"
	"t2sda/orchestrator/learner"
)

// TestEveryFaultOfARunsFiles writes the files of a run over older ones with each
// operation failing in each way: each is the old one or the new one, and the error names
// it. Model, report and pictures go through [atomicfile.Disk.WriteFunc] and nothing else,
// whose own test this is as well.
func TestEveryFaultOfARunsFiles(t *testing.T) {
	c := configs.Default()
	c.Name, c.Output = "x", "y"
	skips := c
	skips.Data.OnError = "skip"
	found := outcomes{}
	for _, file := range []struct {
		name  string
		write func(disk atomicfile.Disk, dir string) error
	}{
		{ConfigFile, func(disk atomicfile.Disk, dir string) error { return writeConfig(disk, c, dir) }},
		{commandsFile, func(disk atomicfile.Disk, dir string) error { return keepCommand(disk, dir, "again") }},
		{resultFile, func(disk atomicfile.Disk, dir string) error { return (&Outcome{Dir: dir}).write(disk) }},
		{compareJSON, func(disk atomicfile.Disk, dir string) error { return new(Comparison).write(disk, dir) }},
		{recordFile, func(disk atomicfile.Disk, dir string) error {
			return new(data).keepInputs(disk, skips, filepath.Join(dir, "new"))
		}},
	} {
		for _, k := range faulttest.Kinds {
			for n := 0; ; n++ {
				dir := t.TempDir()
				path := filepath.Join(dir, file.name)
				writeFile(t, path, "old\n")
				s := faulttest.New(k, n)
				err := file.write(atomicfile.On(s), dir)
				if s.Hit == nil {
					break
				}
				if err == nil || !names(err, s.Hit.Path) {
					t.Errorf("%s, %v: %v", k.Name, s.Hit, err)
				}
				outcome := "the old one is there"
				if text, err := os.ReadFile(path); err != nil {
					t.Fatal(err)
				} else if string(text) != "old\n" {
					outcome = "the new one is there"
					want := t.TempDir()
					writeFile(t, filepath.Join(want, file.name), "old\n")
					if err := file.write(unsynced(), want); err != nil {
						t.Fatal(err)
					}
					if whole, err := os.ReadFile(filepath.Join(want, file.name)); err != nil || string(whole) != string(text) {
						t.Errorf("%s, %v: %q, want %q, %v", k.Name, s.Hit, text, whole, err)
					}
				}
				found.add(k.Name, outcome)
			}
		}
	}
	t.Log("\n" + found.table())
}

// TestEveryFaultOfTheEvents opens a run's events and adds one, with each operation
// failing in each way: what was recorded before is read back, and the run goes on.
func TestEveryFaultOfTheEvents(t *testing.T) {
	silent := func(text string) { t.Error(text) }
	add := func(disk atomicfile.Disk, dir string, from int) error {
		log, err := openEvents(disk, dir, from, silent)
		if err != nil {
			return err
		}
		if err := log.write(Event{Step: learner.Step{Iteration: from, Losses: map[string]float64{"source": 1}}}); err != nil {
			log.close() // what is told is that it could not be written
			return err
		}
		return log.close()
	}
	found := outcomes{}
	for _, k := range faulttest.Kinds {
		for n := 0; ; n++ {
			dir := t.TempDir()
			for from := range 3 {
				if err := add(unsynced(), dir, from); err != nil {
					t.Fatal(err)
				}
			}
			s := faulttest.New(k, n)
			err := add(atomicfile.On(s), dir, 3)
			if s.Hit == nil {
				break
			}
			if err == nil || !names(err, s.Hit.Path) {
				t.Errorf("%s, %v: %v", k.Name, s.Hit, err)
			}
			events := readEvents(t, dir)
			if gaps := missingEvents(events, 3); gaps != "" {
				t.Errorf("%s, %v: iterations %s are lost", k.Name, s.Hit, gaps)
			}
			found.add(k.Name, map[bool]string{true: "the new event is there", false: "the earlier ones are there"}[len(events) == 4])
			if err := add(unsynced(), dir, 3); err != nil {
				t.Errorf("%s, %v: later: %v", k.Name, s.Hit, err)
			}
			if events := readEvents(t, dir); len(events) != 4 || missingEvents(events, 4) != "" {
				t.Errorf("%s, %v: later there are %d events", k.Name, s.Hit, len(events))
			}
		}
	}
	t.Log("\n" + found.table())
}
