package weights

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Found says which tensors of a file are those of a network.
type Found struct {
	Part       string     `json:"part"`             // the model's prefix in the file, without its dot
	Others     []string   `json:"others,omitempty"` // other models in the file
	Convention string     `json:"names"`            // of the names
	Matched    []Info     `json:"matched"`          // under our names
	Missing    []Info     `json:"missing"`          // that the file lacks
	Unexpected []Info     `json:"unexpected"`       // that the network has no use for, under the file's names
	Misshapen  []Mismatch `json:"misshapen"`        // that are there in another shape
	LeftOut    []string   `json:"left_out"`         // that no network of ours has: counters, classifiers of images, auxiliary heads

	recipes map[string]renamed // of Matched
	excess  []Info             // of Unexpected, those that our names make the encoder's: it is a larger one
}

// Mismatch is a tensor in another shape than the network's.
type Mismatch struct {
	Name string `json:"name"` // ours
	In   string `json:"in"`   // the file's
	Have []int  `json:"have"`
	Want []int  `json:"want"`
}

// Find looks for the tensors that a network has, by our names and shapes, in the
// part of the file that word names, or else in the one that holds most of them,
// under the convention that finds most. Nothing is read yet.
func (f *File) Find(want []Info, word string) (*Found, error) {
	candidates, err := f.candidates(word)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	var best *Found
	var fault error
	for _, c := range candidates {
		if c.err != nil {
			fault = c.err // of names that belong together: only if no other reading does better
			continue
		}
		if found := c.find(want); best == nil || found.score() > best.score() {
			best = found
		}
	}
	if best == nil || fault != nil && len(best.Matched) == 0 {
		return nil, fmt.Errorf("%s: %w", f.path, cmp.Or(fault, errors.New("holds no model")))
	}
	for _, p := range f.parts {
		if p.name() != best.Part {
			best.Others = append(best.Others, p.name())
		}
	}
	return best, nil
}

// candidate is a part of a file as a convention reads it.
type candidate struct {
	part       part
	convention string
	given      map[string]renamed // by our names
	err        error              // of this reading
}

// candidates returns the readings of the parts that word means.
func (f *File) candidates(word string) ([]candidate, error) {
	if f.parts == nil {
		parts, err := partsOf(f.Infos())
		if err != nil {
			return nil, err
		}
		f.parts = parts
		for _, p := range f.parts {
			for _, convention := range Conventions() {
				f.readings = append(f.readings, p.read(convention))
			}
		}
	}
	chosen, err := choose(f.parts, word)
	return slices.DeleteFunc(slices.Clone(f.readings), func(c candidate) bool {
		return !slices.ContainsFunc(chosen, func(p part) bool { return p.prefix == c.part.prefix })
	}), err
}

// read reads a part's names by a convention.
func (p part) read(convention string) candidate {
	c := candidate{part: p, convention: convention, given: map[string]renamed{}}
	all, err := rename(convention, toOurs, p.useful())
	c.err = err
	for _, r := range all {
		if other, ok := c.given[r.Name]; ok {
			c.err = fmt.Errorf("tensors %q and %q are the same one", other.pieces[0].source, r.pieces[0].source)
		}
		c.given[r.Name] = r
	}
	return c
}

// score orders what was found: tensors that fit, then those of another shape.
func (r *Found) score() int { return len(r.Matched)<<20 + len(r.Misshapen) }

// find looks for a network's tensors.
func (c candidate) find(want []Info) *Found {
	found := &Found{Part: c.part.name(), Convention: c.convention, recipes: map[string]renamed{}}
	left := maps.Clone(c.given)
	for _, t := range want {
		r, ok := c.given[t.Name]
		switch {
		case !ok:
			found.Missing = append(found.Missing, t)
		case !slices.Equal(r.Shape, t.Shape):
			found.Misshapen = append(found.Misshapen, Mismatch{t.Name, c.part.prefix + r.pieces[0].source, r.Shape, t.Shape})
		default:
			found.Matched = append(found.Matched, Info{t.Name, t.Shape, r.Type})
			found.recipes[t.Name] = r
		}
		delete(left, t.Name)
	}
	found.rest(c.part, left)
	return found
}

// rest notes the tensors that the network does not have.
func (r *Found) rest(p part, given map[string]renamed) {
	unexpected := map[string]bool{}
	for _, name := range sortedKeys(given) {
		for _, piece := range given[name].pieces {
			unexpected[piece.source] = true
		}
		if IsEncoder(given[name].Info) {
			r.excess = append(r.excess, given[name].Info)
		}
	}
	superfluous := p.superfluous()
	for _, t := range p.tensors {
		switch {
		case unexpected[t.Name]:
			t.Name = p.prefix + t.Name
			r.Unexpected = append(r.Unexpected, t)
		case superfluous(t.Name):
			r.LeftOut = append(r.LeftOut, p.prefix+t.Name)
		}
	}
}

// headPrefixes begin public names of what decodes an encoder's levels.
var headPrefixes = []string{"decode_head.", projectorPrefix, "decoder.", "segmentation_head.", "neck."}

// projectorPrefix begins the names of what T2S-DA's pull trains beside a network, and that no
// model has.
const projectorPrefix = "projector."

// LeaveHeadsOut makes tensors of heads no fault, for those who want an encoder only.
func (r *Found) LeaveHeadsOut() { r.leaveOut(headPrefixes...) }

// LeaveProjectorOut makes a projector's tensors no fault, for those who want a model.
func (r *Found) LeaveProjectorOut() { r.leaveOut(projectorPrefix) }

// leaveOut makes tensors whose names in their part begin so no fault.
func (r *Found) leaveOut(prefixes ...string) {
	r.Unexpected = slices.DeleteFunc(r.Unexpected, func(t Info) bool {
		name := strings.TrimPrefix(t.Name, r.Part+".")
		out := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if out {
			r.LeftOut = append(r.LeftOut, t.Name)
		}
		return out
	})
}

// superfluousPrefixes begin the names of what public checkpoints hold beside an
// encoder or a segmentation network: classifiers of images, auxiliary heads.
var superfluousPrefixes = []string{"head.", "classifier.", "fc.", "_fc.", "aux_classifier.", "auxiliary_head."}

// unusedClassifier is carried along by the original SegFormer head, which
// classifies by linear_pred.
const unusedClassifier = "decode_head.conv_seg."

// maskToken ends the name of what stands for masked patches while DINOv2 is trained.
const maskToken = "mask_token"

// superfluous returns what reports whether a name is of something that no network of ours has.
func (p part) superfluous() func(name string) bool {
	classifies := slices.ContainsFunc(p.tensors, func(t Info) bool { return t.Name == "decode_head.linear_pred.weight" })
	return func(name string) bool {
		if strings.HasSuffix(name, counter) || strings.HasSuffix(name, maskToken) {
			return true
		}
		if strings.HasPrefix(name, unusedClassifier) {
			return classifies
		}
		return slices.ContainsFunc(superfluousPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
}

// useful are the tensors that are not superfluous.
func (p part) useful() []Info {
	superfluous := p.superfluous()
	return slices.DeleteFunc(slices.Clone(p.tensors), func(t Info) bool { return superfluous(t.Name) })
}

// ReadFound reads the tensors that match, under our names, in the network's order.
func (f *File) ReadFound(r *Found) ([]Tensor, error) {
	prefix := ""
	if r.Part != "" {
		prefix = r.Part + "."
	}
	tensors := make([]Tensor, len(r.Matched))
	for i, t := range r.Matched {
		var err error
		tensors[i], err = r.recipes[t.Name].make(func(name string) (Tensor, error) { return f.Read(prefix + name) })
		if err != nil {
			return nil, err
		}
	}
	return tensors, nil
}
