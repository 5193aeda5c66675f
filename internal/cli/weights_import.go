package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
)

// weightsImport is what the command import is asked for.
type weightsImport struct {
	config, encoder, head string
	stem                  string
	dilations             []int
	hrda                  configs.HRDA // of a configuration
	headWidth, classes    int
	part                  string
	allow                 []string
	integers              bool
}

func weightsImportCommand() *cobra.Command {
	var m weightsImport
	cmd := &cobra.Command{
		Use:   "import FILE [--out F.safetensors]",
		Short: "Check a file of weights against a network, and write it under our names",
		Long: `Check a file of weights against a network, tensor by tensor, and write what fits as a
safetensors file that model.init takes. (model.init reads FILE itself, too; this
command says more, and chooses.) Without --head the network is the encoder alone;
without --encoder it is the one that the file fits.

Names may be those of SegFormer, DAFormer, HRDA, MIC, mmsegmentation, DINOv2, Hugging
Face transformers, torchvision, timm, pytorch-mobilenet-v2, EfficientNet-PyTorch or
segmentation_models.pytorch. Of checkpoints that hold several models the trained one
is taken; --part names another, ema_model for example. Tensors that are missing, unexpected or of another shape are an error unless
--allow names them; classifiers of images, auxiliary heads and counters never are.
` + weightsFiles,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return m.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&m.encoder, "encoder", "", "want this encoder: "+strings.Join(nets.Encoders(), ", "))
	flags.StringVar(&m.stem, "stem", "", "of a ResNet: "+nets.StemDeep+" (the default) or "+nets.StemPlain)
	flags.StringVar(&m.head, "head", "", "want this head, too: "+strings.Join(nets.Heads(), ", "))
	flags.IntVar(&m.headWidth, "head-width", 256, "channels inside of the head")
	flags.IntSliceVar(&m.dilations, "dilations", nil, "of head deeplabv2 (default: 6, 12)")
	flags.IntVar(&m.classes, "classes", 19, "classes of the head")
	flags.StringVarP(&m.config, "config", "c", "", "want encoder and head of this configuration, a preset or a YAML file")
	flags.StringVar(&m.part, "part", "", "model in the file, by the prefix of its names (show lists them)")
	flags.StringSliceVar(&m.allow, "allow", nil, "mismatches that are no error: "+strings.Join(weights.Allowances(), ", "))
	flags.BoolVar(&m.integers, "integers", false, "convert integers by value; without it they are an error (quantised weights mean nothing without their scales)")
	flags.String("out", "", "safetensors file to write; without it the file is only checked (- is standard output)")
	flags.String("json", "", "write what matches and what does not to this file")
	cmd.MarkFlagsMutuallyExclusive("config", "encoder")
	cmd.MarkFlagsMutuallyExclusive("config", "head")
	cmd.MarkFlagsMutuallyExclusive("config", "stem")
	return cmd
}

func (m *weightsImport) run(cmd *cobra.Command, path string) (err error) {
	for _, a := range m.allow {
		if !slices.Contains(weights.Allowances(), a) {
			return usageError{fmt.Errorf("--allow %q: want some of %s", a, strings.Join(weights.Allowances(), ", "))}
		}
	}
	if err := m.checkFlags(cmd); err != nil {
		return err
	}
	out, err := openOutputs(cmd, "out", "json")
	if err != nil {
		return err
	}
	if err := m.configure(); err != nil {
		return err
	}
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	f.Integers = m.integers
	want, err := m.network(f)
	if err != nil {
		return err
	}
	found, err := f.Find(want.Tensors, m.part)
	if err != nil {
		return err
	}
	if m.head == "" {
		found.LeaveHeadsOut()
	}
	if err := out.writeJSON("json", found); err != nil {
		return err
	}
	if len(found.Matched)+len(found.Misshapen) == 0 {
		return fmt.Errorf("%s: nothing in it fits %s: the file holds %s. t2sda weights show lists what there is", path, want.Name, f.Describe())
	}
	m.print(out.people(), path, want.Name, found)
	if err := found.Check(m.allow...); err != nil {
		return fmt.Errorf("%s: is not %s: %w. The file holds %s; --allow takes what fits, t2sda weights show lists what there is", path, want.Name, err, f.Describe())
	}
	return m.write(out, f, found, want.Name)
}

// checkFlags refuses flags that nothing would read.
func (m *weightsImport) checkFlags(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	for _, name := range []string{"head-width", "dilations", "classes"} {
		switch {
		case !given(name):
		case m.config != "" && name != "classes":
			return usageError{fmt.Errorf("--%s: the configuration says it", name)}
		case m.config == "" && m.head == "":
			return usageError{fmt.Errorf("--%s is for --head, and without that the network is the encoder alone", name)}
		}
	}
	if given("stem") && m.encoder == "" {
		return usageError{errors.New("--stem is for --encoder, and without that the network is the one that the file fits")}
	}
	return nil
}

// configure takes encoder and head from the configuration, if one is given.
func (m *weightsImport) configure() error {
	if m.config == "" {
		return nil
	}
	cfg, err := configs.Read(m.config) // whatever its data: only the network matters
	if err != nil {
		return usageError{err}
	}
	n := cfg.Model
	m.encoder, m.stem, m.head, m.headWidth, m.dilations, m.hrda = n.Encoder, n.Stem, n.Head, n.HeadWidth, n.Dilations, n.HRDA
	return nil
}

// network is what the file is compared with.
func (m *weightsImport) network(f *weights.File) (weights.Network, error) {
	if m.encoder == "" {
		n, err := f.Encoder(fit.Encoders())
		if err != nil || m.head == "" {
			return n, err
		}
		m.encoder, m.stem = fit.Split(n.Name)
	}
	if m.head == "" {
		tensors, err := fit.Encoder(m.encoder, m.stem)
		if err != nil {
			return weights.Network{}, usageError{fmt.Errorf("--encoder: %w", err)}
		}
		return weights.Network{Name: m.encoder, Tensors: tensors}, nil
	}
	tensors, err := fit.Tensors(nets.Arch{
		Encoder: m.encoder, Stem: m.stem, Head: m.head, Classes: m.classes, HeadWidth: m.headWidth, Dilations: m.dilations, Std: [3]float32{1, 1, 1},
		DetailWidth: m.hrda.Detail.Width, DetailHeight: m.hrda.Detail.Height, AttentionWidth: m.hrda.Attention,
	})
	if err != nil {
		return weights.Network{}, usageError{err}
	}
	name := fmt.Sprintf("%s with head %s for %d classes", m.encoder, m.head, m.classes)
	if m.stem != "" {
		name = fmt.Sprintf("%s (stem %s) with head %s for %d classes", m.encoder, m.stem, m.head, m.classes)
	}
	return weights.Network{Name: name, Tensors: tensors}, nil
}

// print says what matches and lists what does not.
func (m *weightsImport) print(w io.Writer, path, network string, r *weights.Found) {
	fmt.Fprintf(w, "%s as %s: names %s", path, network, r.Convention)
	if r.Part != "" {
		fmt.Fprintf(w, ", part %s", r.Part)
	}
	if len(r.Others) > 0 {
		fmt.Fprintf(w, " (--part takes another: %s)", strings.Join(r.Others, ", "))
	}
	fmt.Fprintf(w, "\n%d tensors match, %s elements; %d missing, %d of another shape, %d unexpected, %d left out\n",
		len(r.Matched), elements(totalSize(r.Matched)), len(r.Missing), len(r.Misshapen), len(r.Unexpected), len(r.LeftOut))
	var lines []string
	for _, t := range r.Missing {
		lines = append(lines, fmt.Sprintf("missing     %s %v", t.Name, t.Shape))
	}
	for _, t := range r.Misshapen {
		lines = append(lines, fmt.Sprintf("shape       %s has %v, want %v", t.In, t.Have, t.Want))
	}
	for _, t := range r.Unexpected {
		lines = append(lines, fmt.Sprintf("unexpected  %s %v", t.Name, t.Shape))
	}
	const most = 40
	for _, l := range lines[:min(most, len(lines))] {
		fmt.Fprintln(w, " ", l)
	}
	if len(lines) > most {
		fmt.Fprintf(w, "  … and %d more (--json writes all)\n", len(lines)-most)
	}
}

// write writes what matches.
func (m *weightsImport) write(out *outputs, f *weights.File, r *weights.Found, network string) error {
	if !out.wants("out") {
		return nil
	}
	tensors, err := f.ReadFound(r)
	if err != nil {
		return err
	}
	metadata := map[string]string{"format": "pt", "program": "t2sda " + version(), "origin": f.Path(), "network": network, "names": weights.Ours}
	if err := out.write("out", func(w io.Writer) error { return weights.Encode(w, tensors, metadata) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.people(), "written to %s: train with model.init=%[1]s\n", out.name("out"))
	return err
}
