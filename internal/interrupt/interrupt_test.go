package interrupt

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestText(t *testing.T) {
	wrapped := fmt.Errorf("image 7: %w", context.Canceled)
	inner := Explain(wrapped, "stopped after %d images", 7)
	outer := Explain(fmt.Errorf("evaluate m.onnx: %w", inner), "%v; go on with x", inner)
	for _, c := range []struct {
		err  error
		text string
		is   bool
	}{
		{nil, "", false},
		{errors.New("full"), "", false},
		{wrapped, "", true},
		{inner, "stopped after 7 images", true},
		{fmt.Errorf("evaluate: %w", inner), "stopped after 7 images", true},
		{outer, "stopped after 7 images; go on with x", true},
	} {
		if text, is := Text(c.err); text != c.text || is != c.is {
			t.Errorf("%v: %q, %v", c.err, text, is)
		}
	}
	full := errors.New("full")
	if Explain(full, "stopped") != full || Explain(nil, "stopped") != nil {
		t.Error("what is no interrupt was changed")
	}
	if !errors.Is(outer, context.Canceled) {
		t.Error("the interrupt is lost")
	}
}
