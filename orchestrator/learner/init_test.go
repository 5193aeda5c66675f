package learner

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
)

// TestInitialise starts from the program's own encoder: every parameter of the
// encoder changes, none of the head, and the teacher is a copy.
func TestInitialise(t *testing.T) {
	c := small()
	before := open(t, c, zap.NewNop()).state
	c.Model.Init = "mit_nano"
	s := open(t, c, zap.NewNop()).state
	old, student := content(t, before.student), content(t, s.student)
	for i, p := range s.specs {
		at, n := s.offsets[i], p.Shape.Size()
		if same := slices.Equal(old[at:at+n], student[at:at+n]); same != (p.Group == nets.Head) {
			t.Errorf("%s (%v): unchanged is %v", p.Name, p.Group, same)
		}
	}
	if !slices.Equal(student, content(t, s.teacher)) {
		t.Error("the teacher is no copy")
	}
}

func TestInitialiseNeedsTheWholeEncoder(t *testing.T) {
	c := small()
	c.Method = configs.SourceOnly
	have := tensors(t, open(t, c, zap.NewNop()).Parts()[0])
	_, err := New(enginetest.Open(t, engine.Options{}), Options{Config: c, Space: shapesSpace(), Initial: have[1:], Source: "part.safetensors", Log: zap.NewNop()})
	if missing := have[0].Name; err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "model.init: part.safetensors") {
		t.Errorf("have %v, want the file and %s", err, missing)
	}
}
