package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/graphs/weights"
	"t2sda/orchestrator"
)

// weightsExport is what the command export is asked for.
type weightsExport struct{ run, checkpoint, weights, names string }

func weightsExportCommand() *cobra.Command {
	var e weightsExport
	cmd := &cobra.Command{
		Use:   "export --run DIR --out F.safetensors",
		Short: "Write a run's weights under the names of another library",
		Long: `Write the weights of a run's student, or its teacher, as a safetensors file whose
tensors bear the names of a library, so that it loads them as its own:

  ours               the original code of SegFormer, DAFormer, DINOv2, mmsegmentation's
                     ResNets, torchvision and EfficientNet-PyTorch with "backbone."
  original           the same with the encoder as in its ImageNet files (no "backbone.")
  hf                 Hugging Face transformers (from_pretrained, or load_state_dict before 5)
  hf5                the same, load_state_dict since version 5
  dinov2             facebookresearch/dinov2, and timm's without registers
  mmseg              mmsegmentation from 0.13 on
  hrda               HRDA and MIC
  smp                segmentation_models.pytorch
  torchvision        its ResNets and MobileNetV2, and timm's ResNets with a plain stem
  timm               its ResNets with a deep stem (resnet101c)
  openmmlab          open-mmlab's ResNet backbones alone
  tonylins           pytorch-mobilenet-v2
  lukemelas          EfficientNet-PyTorch, efficientnet-lite-pytorch
  timm-mobilenet     timm's mobilenetv2_100
  timm-efficientnet  timm's tf_efficientnet_lite0

Tensors that a library has no name for, the projector for one, are left out and
listed. Batch norm is not folded, and running statistics come along. Low-rank adapters
are added to what they adapt.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.export(cmd) },
	}
	cmd.Flags().StringVar(&e.run, "run", "", "run directory")
	cmd.Flags().String("out", "", "safetensors file to write (- is standard output)")
	cmd.Flags().StringVar(&e.checkpoint, "checkpoint", "last", "last, best or the name of one of the run's checkpoints")
	cmd.Flags().StringVar(&e.weights, "weights", orchestrator.Student, orchestrator.Student+" or "+orchestrator.Teacher)
	cmd.Flags().StringVar(&e.names, "names", weights.Ours, "whose names the tensors get: "+strings.Join(weights.Conventions(), ", "))
	_ = cmd.MarkFlagRequired("run") // fails only for flags that do not exist
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

func (e weightsExport) export(cmd *cobra.Command) error {
	if !slices.Contains(weights.Conventions(), e.names) {
		return usageError{fmt.Errorf("--names %q: want one of %s", e.names, strings.Join(weights.Conventions(), ", "))}
	}
	out, err := openOutputs(cmd, "out")
	if err != nil {
		return err
	}
	n, err := orchestrator.OpenNetwork(e.run, e.checkpoint, e.weights)
	if err != nil {
		return err
	}
	if n.Unverified != nil {
		warnings(cmd)(n.Unverified)
	}
	tensors, err := n.Tensors()
	if err != nil {
		return err
	}
	named, left, err := weights.Rename(e.names, tensors)
	if err != nil {
		return fmt.Errorf("--names: %w", err)
	}
	if err := out.write("out", func(w io.Writer) error { return weights.Encode(w, named, e.metadata(n)) }); err != nil {
		return err
	}
	if len(left) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "left out, %s has no names for them: %s\n", e.names, strings.Join(left, ", "))
	}
	_, err = fmt.Fprintf(out.people(), "%s: %d tensors of the %s's, iteration %d\n", out.name("out"), len(named), e.weights, n.Iteration)
	return err
}

// metadata is what the file says of itself. PyTorch's libraries want the format.
func (e weightsExport) metadata(n *orchestrator.Network) map[string]string {
	return map[string]string{
		"format": "pt", "program": "t2sda " + version(), "encoder": n.Arch.Encoder, "head": n.Arch.Head,
		"names": e.names, "weights": e.weights, "iteration": strconv.Itoa(n.Iteration), "classes": strings.Join(n.Space.Names(), ","),
	}
}
