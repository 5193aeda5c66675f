package orchestrator

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
)

// TestInitialise starts from the program's own encoder: every parameter of the
// encoder changes, none of the head, and the teacher is a copy.
func TestInitialise(t *testing.T) {
	c := shapesConfig("", "")
	s, err := newState(archOf(c, 3), true, c.Train, c.Seed)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	before := slices.Clone(s.student.Floats())
	if err := s.initialise("mit_nano", zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	for i, p := range s.specs {
		at := s.offsets[i]
		same := slices.Equal(before[at:at+p.Shape.Size()], s.view(s.student, i))
		if same != (p.Group == nets.Head) {
			t.Errorf("%s (%v): unchanged is %v", p.Name, p.Group, same)
		}
	}
	if !slices.Equal(s.student.Floats(), s.teacher.Floats()) {
		t.Error("the teacher is no copy")
	}
}

func TestInitialiseNeedsTheWholeEncoder(t *testing.T) {
	c := shapesConfig("", "")
	c.Method = configs.SourceOnly
	s, err := newState(archOf(c, 3), false, c.Train, c.Seed)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	path := filepath.Join(t.TempDir(), "part.safetensors")
	if err := weights.Save(path, s.tensors("", s.student)[1:], nil); err != nil {
		t.Fatal(err)
	}
	err = s.initialise(path, zap.NewNop())
	if missing := s.specs[0].Name; err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), path) {
		t.Errorf("have %v, want the file and %s", err, missing)
	}
}
