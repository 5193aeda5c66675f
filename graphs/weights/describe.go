package weights

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Network is an encoder that a file's tensors may be of.
type Network struct {
	Name    string
	Tensors []Info
}

// Fits lists the encoders that are in the file, whole and no part of a larger one.
func (f *File) Fits(encoders []Network) []string {
	var names []string
	for _, n := range encoders {
		r, err := f.Find(n.Tensors, "")
		if err == nil && len(r.Missing)+len(r.Misshapen)+len(r.excess) == 0 {
			names = append(names, n.Name)
		}
	}
	return names
}

// Describe says in words what network the file holds, by the names and shapes of
// its tensors: "a Mix Transformer of …", "a detector".
func (f *File) Describe() string {
	infos := f.Infos()
	if words := known(infos); words != "" {
		return words
	}
	candidates, err := f.candidates("")
	if err != nil {
		return unknownNetwork(infos)
	}
	for _, c := range candidates {
		if words := mixTransformer(c.given); words != "" {
			return words
		}
		if words := resNet(c.given); words != "" {
			return words
		}
		if words := visionTransformer(c.given); words != "" {
			return words
		}
	}
	if slices.ContainsFunc(infos, func(t Info) bool { return strings.Contains(t.Name, "cls_token") }) {
		return "a Vision Transformer whose names are not known here"
	}
	return unknownNetwork(infos)
}

func unknownNetwork(infos []Info) string {
	var names []string
	for _, t := range infos[:min(3, len(infos))] {
		names = append(names, t.Name)
	}
	return fmt.Sprintf("a network that is not known here (its tensors: %s …)", strings.Join(names, ", "))
}

// signs are pieces of names that tell what a network is none of ours for.
var signs = []struct{ piece, words string }{
	{"m/backbone.", "the optimiser's moments of a run, not its weights: take student.safetensors or teacher.safetensors beside it"},
	{"rpn_head.", "a detector"},
	{"rpn.head.", "a detector"},
	{"roi_head", "a detector"},
	{"bbox_head.", "a detector"},
	{"bbox_embed.", "a detector"},
	{"bbox_predictor", "a detector"},
	{".cv3.", "a detector (YOLO)"},
	{"relative_position_bias_table", "a Swin Transformer"},
	{"pwconv1.", "a ConvNeXt"},
	{"features.1.conv.", "a MobileNetV2"},
	{"_depthwise_conv.", "an EfficientNet"},
	{".conv_dw.", "a MobileNet or EfficientNet under timm's names"},
	{"features.0.", "a network for images whose layers are numbered, VGG or MobileNet for example"},
	{"diffusion_model.", "a diffusion model"},
	{"embed_tokens.", "a language model"},
	{"wte.weight", "a language model"},
}

func known(infos []Info) string {
	for _, s := range signs {
		if slices.ContainsFunc(infos, func(t Info) bool { return strings.Contains(t.Name, s.piece) }) {
			return s.words
		}
	}
	return ""
}

// mixTransformer describes a Mix Transformer by our names, "" where there is none.
func mixTransformer(given map[string]renamed) string {
	var widths, depths []string
	for s := 1; ; s++ {
		embed, ok := given[fmt.Sprintf("backbone.patch_embed%d.proj.weight", s)]
		if !ok || len(embed.Shape) == 0 {
			break
		}
		widths = append(widths, fmt.Sprint(embed.Shape[0]))
		depths = append(depths, fmt.Sprint(blocks(given, fmt.Sprintf("backbone.block%d.", s))))
	}
	if widths == nil {
		return ""
	}
	return fmt.Sprintf("a Mix Transformer of %s channels and %s blocks", strings.Join(widths, "·"), strings.Join(depths, "·"))
}

// resNet describes a ResNet by our names, "" where there is none.
func resNet(given map[string]renamed) string {
	var depths []string
	for s := 1; ; s++ {
		n := blocks(given, fmt.Sprintf("backbone.layer%d.", s))
		if n == 0 {
			break
		}
		depths = append(depths, fmt.Sprint(n))
	}
	if depths == nil {
		return ""
	}
	kind, stem := "basic blocks", "plain stem (conv1)"
	if _, ok := given["backbone.layer1.0.conv3.weight"]; ok {
		kind = "bottlenecks"
	}
	if _, ok := given["backbone.stem.0.weight"]; ok {
		stem = "deep stem (three convolutions, V1c)"
	}
	return fmt.Sprintf("a ResNet of %s %s with a %s", strings.Join(depths, "·"), kind, stem)
}

// visionTransformer describes a Vision Transformer by our names, "" where there is
// none.
func visionTransformer(given map[string]renamed) string {
	embed, ok := given["backbone.patch_embed.proj.weight"]
	if _, class := given["backbone.cls_token"]; !ok || !class || len(embed.Shape) != 4 {
		return ""
	}
	words := fmt.Sprintf("a Vision Transformer of %d channels and %d blocks on patches of %d×%d px",
		embed.Shape[0], blocks(given, "backbone.blocks."), embed.Shape[2], embed.Shape[3])
	if r, ok := given["backbone.register_tokens"]; ok && len(r.Shape) == 3 {
		words += fmt.Sprintf(" with %d registers", r.Shape[1])
	}
	if _, ok := given["backbone.blocks.0.ls1.gamma"]; !ok {
		words += ", without LayerScale"
	}
	return words
}

// blocks counts the numbers that follow the prefix.
func blocks(given map[string]renamed, prefix string) int {
	numbers := map[string]bool{}
	for name := range maps.Keys(given) {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			number, _, _ := strings.Cut(rest, ".")
			numbers[number] = true
		}
	}
	return len(numbers)
}
