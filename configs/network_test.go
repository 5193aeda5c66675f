package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadNetwork(t *testing.T) {
	want := Default().Model
	if have, keys, err := ReadNetwork(nil); err != nil || len(keys) > 0 || !cmp.Equal(have, want) {
		t.Errorf("%+v, %v, %v", have, keys, err)
	}
	want.Encoder, want.Head, want.HeadWidth, want.Dilations = "resnet50", "deeplabv2", 64, []int{6, 12, 18}
	have, keys, err := ReadNetwork([]string{"model.encoder=resnet50", "MODEL.head=deeplabv2", "model.head_width=64", "model.dilations=[6, 12, 18]"})
	if diff := cmp.Diff(want, have); diff != "" || err != nil || len(keys) != 4 || keys[1] != "model.head" {
		t.Errorf("%v, %v\n%s", keys, err, diff)
	}
	for setting, want := range map[string]string{
		"train.batch=2":       "setting train.batch: weights without a run need none but model.encoder",
		"model.dropout=0":     "setting model.dropout: weights without a run need none but",
		"model.head_width=no": "setting model.head_width=no: ",
		"model.heads=x":       `setting "model.heads"`,
		"segformer":           "want key=value",
	} {
		if _, _, err := ReadNetwork([]string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
