package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Kinds of mismatches that [Found.Check] may be told to allow.
const (
	AllowMissing    = "missing"
	AllowUnexpected = "unexpected"
	AllowShape      = "shape"
)

// Allowances lists them.
func Allowances() []string { return []string{AllowMissing, AllowUnexpected, AllowShape} }

// Check returns an error that names what does not match, less the kinds that are
// allowed.
func (r *Found) Check(allowed ...string) error {
	var faults []string
	add := func(kind, words string, names []string) {
		if len(names) > 0 && !slices.Contains(allowed, kind) {
			faults = append(faults, fmt.Sprintf("%d %s (%s)", len(names), words, shortList(names, 3)))
		}
	}
	add(AllowMissing, "are missing", named(r.Missing))
	add(AllowShape, "have another shape", r.mismatches())
	add(AllowUnexpected, "are unexpected", named(r.Unexpected))
	if faults == nil {
		return nil
	}
	return errors.New(strings.Join(faults, "; "))
}

func named(infos []Info) []string {
	names := make([]string, len(infos))
	for i, t := range infos {
		names[i] = t.Name
	}
	return names
}

func (r *Found) mismatches() []string {
	out := make([]string, len(r.Misshapen))
	for i, m := range r.Misshapen {
		out[i] = fmt.Sprintf("%s: have %v, want %v", m.Name, m.Have, m.Want)
	}
	return out
}

// Start reads what a network starts from, under our names: weights that are part of
// the program, by name, or those of a file. Tensors for which required is true must
// be there, in shape; of the rest it takes what fits. encoders are those that the
// error proposes where the network's own is not in the file.
func Start(source string, want []Info, required func(Info) bool, encoders func() []Network) (_ []Tensor, _ *Found, err error) {
	open := Open
	if slices.Contains(Pretrained(), source) {
		open = openPretrained
	}
	f, err := open(source)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w (weights in the program: %s; t2sda weights list shows those that model.init=fetch:NAME gets)", err, strings.Join(Pretrained(), ", "))
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	found, err := f.Find(want, "")
	if err != nil {
		return nil, nil, err
	}
	if err := found.only(required).Check(); err != nil {
		return nil, nil, f.another(err, encoders())
	}
	tensors, err := f.ReadFound(found)
	return tensors, found, err
}

// only is what was found of the tensors for which required is true, and of an
// encoder that has more of them.
func (r *Found) only(required func(Info) bool) *Found {
	part := *r
	part.Missing = slices.DeleteFunc(slices.Clone(r.Missing), func(t Info) bool { return !required(t) })
	part.Misshapen = slices.DeleteFunc(slices.Clone(r.Misshapen), func(m Mismatch) bool {
		t := Info{Name: m.Name, Shape: m.Want}
		return !required(t) && !isAdapter(t) // without its adapter, a weight is another
	})
	part.Unexpected = r.excess
	return &part
}

// Encoder returns the one encoder that the file holds, an error where that is not
// one of ours.
func (f *File) Encoder(encoders []Network) (Network, error) {
	fits := f.Fits(encoders)
	for _, n := range encoders {
		if len(fits) == 1 && n.Name == fits[0] {
			return n, nil
		}
	}
	return Network{}, fmt.Errorf("%s: no encoder here fits it. The file holds %s", f.path, f.Describe())
}

// another explains that a file holds another network than the wanted one.
func (f *File) another(fault error, encoders []Network) error {
	if slices.ContainsFunc(f.Infos(), isAdapter) {
		return fmt.Errorf("%s: of the encoder's tensors %w. The file holds low-rank adapters beside their weights: train with the run's model.encoder_train=lora and rank, or write the run's weights with adapters added to them (t2sda weights export)", f.path, fault)
	}
	mend := "no encoder here fits it: give weights of this one"
	if fits := f.Fits(encoders); len(fits) > 0 {
		mend = fmt.Sprintf("set model.encoder=%s, or give weights of this encoder", strings.Join(fits, " or "))
	}
	return fmt.Errorf("%s: of the encoder's tensors %w. The file holds %s; %s (t2sda weights show %[1]s lists what it holds)", f.path, fault, f.Describe(), mend)
}
