package orchestrator

import (
	"maps"
	"slices"
	"testing"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// TestResidentRun trains with the state in the device's memory, to the losses and the
// score of the host's where no prototypes are rounded otherwise: stopped and resumed as
// if it had not been, checkpointed on one side and resumed on the other, evaluated and
// exported.
func TestResidentRun(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	for _, method := range []configs.Method{configs.SelfTraining, configs.T2S} {
		c := shapesConfig(root, t.TempDir())
		c.Method = method
		t.Run(string(method), func(t *testing.T) { testResidentRun(t, c) })
	}
}

func testResidentRun(t *testing.T, c configs.Config) {
	equal := !c.UsesPull() && !enginetest.OnDevice() // to the host
	c.Runtime.State = "host"
	host, score := train(t, c)
	want := readEvents(t, host)

	c.Runtime.State = "device"
	whole, _ := train(t, c)
	for _, before := range []string{"device", "host"} {
		c.Output, c.Runtime.State = t.TempDir(), before
		stopAfter(t, c, " 3/6 ")
		c.Runtime.State = "device"
		o := quiet()
		o.Resume = true
		out, err := Run(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		if out.Agreement < 0.999 {
			t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
		}
		if equal && out.Result.MIoU != score.MIoU {
			t.Errorf("mIoU %v, %v on the host", out.Result.MIoU, score.MIoU)
		}
		if a, b := lossLines(t, whole), lossLines(t, out.Dir); before == "device" && !slices.Equal(a, b) {
			t.Errorf("uninterrupted: %v, resumed: %v", a, b)
		}
		have := readEvents(t, out.Dir)
		for i, e := range want {
			if equal && !maps.Equal(e.Losses, have[i].Losses) {
				t.Errorf("from %s, iteration %d: losses %v, %v on the host", before, i, have[i].Losses, e.Losses)
			}
		}
		if last := have[len(have)-1]; last.ToDevice == 0 || last.FromDevice == 0 {
			t.Errorf("nothing crossed: %+v", last)
		}
	}
	if e := want[0]; !enginetest.OnDevice() && e.ToDevice+e.FromDevice != 0 {
		t.Errorf("without a device %d and %d bytes crossed", e.ToDevice, e.FromDevice)
	}
}
