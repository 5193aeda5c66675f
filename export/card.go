package export

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"t2sda/export/predict"
	"t2sda/internal/plural"
	"t2sda/internal/texttable"
)

// CardFacts are what a card says beyond its model's description.
type CardFacts struct {
	Method string // its name, and what it learns from; empty: no run has trained it
	Made   string // of which weights the model is; likewise
}

// weakIoU is the IoU below which a card warns of a class.
const weakIoU = 0.3

// Card returns the model card, in Markdown: what the model is for, what it learned from and how
// well, and where that ends.
func Card(d Description, f CardFacts) []byte {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# %s\n", d.File)
	say("Semantic segmentation of RGB images into %s: %s + %s, exported by t2sda %s.",
		plural.Of(len(d.Classes), "class", "classes"), d.Architecture.Encoder, d.Architecture.Head, d.Version)
	say("\n## Use\n")
	say("ONNX, opset %d, standard operators only. SHA-256 `%s`.\n", d.Opset, d.SHA256)
	b.WriteString(texttable.Markdown(d.values()))
	say("\nThe input is %s, %s, values 0–%d, %s.", d.Input.Colour, d.Input.Layout, d.Input.Scale, d.Input.feed())
	say("\n## Data and method\n")
	for _, side := range slices.Sorted(maps.Keys(d.Data)) {
		say("- %s: %s", side, d.Data[side])
	}
	if f.Method == "" {
		say("- method: not known, the weights were not trained here")
		say("- licence of the weights: %s", d.Licence)
	} else {
		say("- method: %s", f.Method)
		say("- weights: %s", f.Made)
		say("- configuration: `%s`", d.ConfigHash)
		say("- licence of the weights that training began with: %s", d.Licence)
	}
	say("\n## Quality\n")
	if d.MIoU != nil {
		say("Mean IoU %.1f %% on %s.\n", 100**d.MIoU, d.Data["eval"])
	} else {
		say("These weights were not scored: `t2sda evaluate` does it.\n")
	}
	b.WriteString(texttable.Markdown(d.scores()))
	say("\n## Verified\n")
	say("Compared with the training network on %s:\n", d.Verified.Images)
	b.WriteString(texttable.Markdown(d.Verified.rows()))
	if p := d.Verified.Precision; p != nil {
		say("\n%s", p.sentence())
	}
	say("\n## Limits\n")
	for _, l := range d.limits() {
		say("- %s", l)
	}
	return []byte(b.String())
}

// values lists inputs and outputs.
func (d Description) values() [][]string {
	rows := [][]string{{"", "name", "type", "shape"}}
	row := func(what string, v DescribedValue) {
		rows = append(rows, []string{what, v.Name, v.Type, fmt.Sprint(v.Shape)})
	}
	row("input", d.Input.DescribedValue)
	for _, o := range d.Outputs {
		row("output", o)
	}
	return rows
}

// feed says what becomes of an image's values before they are fed.
func (d DescribedInput) feed() string {
	if d.Normalization == predict.NoNormalization {
		return "as they are: the model normalises them"
	}
	return fmt.Sprintf("as (value − mean) / std with mean %v and std %v", d.Normalization.Mean, d.Normalization.Std)
}

// scores lists the classes.
func (d Description) scores() [][]string {
	rows := [][]string{{"id", "class", "IoU"}}
	for i, c := range d.Classes {
		text := "–"
		if v, ok := d.IoU[c.Name]; ok {
			text = fmt.Sprintf("%.1f %%", 100*v)
		}
		rows = append(rows, []string{fmt.Sprint(i), c.Name, text})
	}
	return rows
}

func (v Verified) rows() [][]string {
	rows := [][]string{{"output", "pixels", "equal"}}
	for _, o := range v.Outputs {
		rows = append(rows, []string{o.Output, fmt.Sprint(o.Pixels), fmt.Sprintf("%.4f %%", 100*o.Share())})
	}
	return rows
}

// sentence says what became of the model that was compared.
func (p Precision) sentence() string {
	text := fmt.Sprintf("That was the float32 model. This one is %s, made of it, and gives its labels on %.3f %% of pixels of %s", p.Name, 100*p.Labels.Share(), plural.Of(p.Images, "image that it was measured on", "images that it was measured on"))
	if p.MIoU != nil {
		text += fmt.Sprintf("; mean IoU there %.2f %% (float32: %.2f %%)", 100**p.MIoU, 100**p.MIoUBefore)
	}
	if p.Calibration != "" {
		text += "; calibration: " + p.Calibration
	}
	if p.KeptFloat32 != nil {
		text += "; nodes that stayed float32: " + strings.Join(p.KeptFloat32, ", ")
	}
	return text + "."
}

// limits says what the numbers do not cover, as far as the description tells.
func (d Description) limits() []string {
	var all, weak, unscored []string
	for _, c := range d.Classes {
		if v, ok := d.IoU[c.Name]; ok && v < weakIoU {
			weak = append(weak, c.Name)
		} else if !ok && d.IoU != nil {
			unscored = append(unscored, c.Name)
		}
	}
	all = append(all, "What the model does on images unlike those that it was trained and scored on (other cameras, places, weather) is not known.")
	if weak != nil {
		all = append(all, fmt.Sprintf("Not to be relied on (IoU below %.0f %%): %s.", 100*weakIoU, strings.Join(weak, ", ")))
	}
	if unscored != nil {
		all = append(all, "Neither labelled nor predicted where it was scored: "+strings.Join(unscored, ", ")+".")
	}
	return append(all, "Every pixel gets one of the classes above, whatever it shows.")
}
