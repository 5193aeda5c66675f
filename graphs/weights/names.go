package weights

import (
	"fmt"
	"slices"
	"strings"
)

// Our names are those of the original code of SegFormer, DAFormer and DINOv2, of
// mmsegmentation's ResNets, of torchvision's MobileNetV2 and of EfficientNet-PyTorch,
// with "backbone." before the encoder's. A convention is
// another way to name the same tensors; each network has a table per convention
// (names_*.go), which is read in both directions.

// table holds the names of one network's tensors in one convention.
type table struct {
	convention string
	rules      []rule
	same       []string // beginnings of names that both sides share
}

// rule says that some of our tensors, one after the other along their first axis,
// are some of the public ones. As a rule it is one on both sides, a renaming.
type rule struct {
	ours, public []rows
	// matrix marks linear layers that are 1×1 convolutions there: [o,i,1,1].
	matrix bool
}

// rows are the tensors of a pattern and their share of a rule's rows.
type rows struct {
	pattern
	share int
}

// same is a renaming.
func same(ours, public string) rule {
	return rule{ours: []rows{{parsePattern(ours), 1}}, public: []rows{{parsePattern(public), 1}}}
}

// Conventions lists the conventions by name, ours first.
func Conventions() []string {
	names := []string{Ours}
	for _, t := range tables {
		if !slices.Contains(names, t.convention) {
			names = append(names, t.convention)
		}
	}
	return names
}

// Ours is the convention of our own names.
const Ours = "ours"

// tables has one entry per network and convention.
var tables = slices.Concat(mitTables, resnetTables, invertedTables, dinov2Tables)

// tablesOf returns a convention's tables; ours has none.
func tablesOf(convention string) ([]table, error) {
	var found []table
	for _, t := range tables {
		if t.convention == convention {
			found = append(found, t)
		}
	}
	if found == nil && convention != Ours {
		return nil, fmt.Errorf("names %q do not exist; there are %s", convention, strings.Join(Conventions(), ", "))
	}
	return found, nil
}

// direction says which side of a rule is given.
type direction bool

const (
	toOurs   direction = false
	toPublic direction = true
)

// sides returns what a rule reads and what it writes.
func (d direction) sides(r rule) (from, to []rows) {
	if d == toPublic {
		return r.ours, r.public
	}
	return r.public, r.ours
}

// renamed is a tensor under a new name, made of rows of given ones.
type renamed struct {
	Info
	pieces []piece
	known  bool // a table has it
}

// piece is a range of the rows of a given tensor; to is -1 for all of it.
type piece struct {
	source   string
	from, to int
}

// rename returns the tensors under the names of the other side, those that no table
// knows under their own. Tensors that a rule joins with others which are not there
// are returned as if it did not know them.
func rename(convention string, d direction, given []Info) ([]renamed, error) {
	found, err := tablesOf(convention)
	if err != nil {
		return nil, err
	}
	var out []renamed
	joins := map[string]*join{}
	var order []string
	for _, t := range given {
		r, key, i, vars := lookup(found, d, t.Name)
		if r == nil {
			out = append(out, unchanged(t, convention == Ours || keeps(found, t.Name)))
			continue
		}
		j := joins[key]
		if j == nil {
			from, _ := d.sides(*r)
			j = &join{rule: *r, vars: vars, parts: make([]*Info, len(from))}
			joins[key] = j
			order = append(order, key)
		}
		if j.parts[i] != nil {
			return nil, fmt.Errorf("tensors %q and %q are the same one", j.parts[i].Name, t.Name)
		}
		j.parts[i] = &t
	}
	for _, key := range order {
		made, err := joins[key].rename(d)
		if err != nil {
			return nil, err
		}
		out = append(out, made...)
	}
	return out, nil
}

func unchanged(t Info, known bool) renamed {
	return renamed{Info: t, pieces: []piece{{t.Name, 0, -1}}, known: known}
}

// lookup finds the first rule that knows a name, the part of it, and the key that
// all parts of one application share.
func lookup(found []table, d direction, name string) (r *rule, key string, part int, vars map[string]string) {
	for i := range found {
		for k := range found[i].rules {
			r := &found[i].rules[k]
			from, to := d.sides(*r)
			for part, p := range from {
				if vars, ok := p.read(name); ok {
					return r, fmt.Sprintf("%d/%d/%s", i, k, to[0].write(vars)), part, vars
				}
			}
		}
	}
	return nil, "", 0, nil
}

// keeps reports whether a table has the name on both sides.
func keeps(found []table, name string) bool {
	return slices.ContainsFunc(found, func(t table) bool {
		return slices.ContainsFunc(t.same, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
}

// join collects what one application of a rule reads.
type join struct {
	rule  rule
	vars  map[string]string
	parts []*Info
}

// rename returns what the rule makes of its parts.
func (j *join) rename(d direction) ([]renamed, error) {
	from, to := d.sides(j.rule)
	if slices.Contains(j.parts, nil) {
		var out []renamed
		for _, t := range j.parts {
			if t != nil {
				out = append(out, unchanged(*t, false))
			}
		}
		return out, nil
	}
	if len(from) == 1 && len(to) == 1 {
		t := *j.parts[0]
		out := renamed{Info: t, pieces: []piece{{t.Name, 0, -1}}, known: true}
		out.Name = to[0].write(j.vars)
		if j.rule.matrix {
			out.Shape = asMatrix(t.Shape, d)
		}
		return []renamed{out}, nil
	}
	total, err := j.total(from)
	if err != nil {
		return nil, err
	}
	return j.split(to, total)
}

// total returns the number of rows of all parts, which must have their shares.
func (j *join) total(from []rows) (int, error) {
	total, shares := 0, 0
	for i, t := range j.parts {
		first := j.parts[0]
		if len(t.Shape) == 0 || !slices.Equal(t.Shape[1:], first.Shape[1:]) {
			return 0, fmt.Errorf("tensors %q and %q belong together and have shapes %v and %v", first.Name, t.Name, first.Shape, t.Shape)
		}
		total += t.Shape[0]
		shares += from[i].share
	}
	for i, t := range j.parts {
		if t.Shape[0]*shares != total*from[i].share {
			return 0, fmt.Errorf("tensor %q has shape %v, want %d rows of %d that belong together", t.Name, t.Shape, total*from[i].share/shares, total)
		}
	}
	return total, nil
}

// split cuts the rows of all parts, one after the other, by the shares of what is
// written.
func (j *join) split(to []rows, total int) ([]renamed, error) {
	shares := 0
	for _, p := range to {
		shares += p.share
	}
	if total == 0 {
		return nil, fmt.Errorf("tensor %q of shape %v has no rows", j.parts[0].Name, j.parts[0].Shape)
	}
	if total%shares != 0 {
		return nil, fmt.Errorf("tensor %q of shape %v does not split into %d equal parts", j.parts[0].Name, j.parts[0].Shape, shares)
	}
	var out []renamed
	begin := 0
	for _, p := range to {
		n := total / shares * p.share
		r := renamed{known: true, pieces: j.cut(begin, begin+n)}
		r.Name, r.Type = p.write(j.vars), j.parts[0].Type
		r.Shape = append([]int{n}, j.parts[0].Shape[1:]...)
		out = append(out, r)
		begin += n
	}
	return out, nil
}

// cut returns rows from to of all parts together.
func (j *join) cut(from, to int) []piece {
	var pieces []piece
	begin := 0
	for _, t := range j.parts {
		end := begin + t.Shape[0]
		if a, b := max(from, begin), min(to, end); a < b {
			pieces = append(pieces, piece{t.Name, a - begin, b - begin})
		}
		begin = end
	}
	return pieces
}

// asMatrix drops the kernel axes of the 1×1 convolutions that stand for linear
// layers, or adds them.
func asMatrix(shape []int, d direction) []int {
	switch {
	case d == toOurs && len(shape) == 4 && shape[2] == 1 && shape[3] == 1:
		return shape[:2]
	case d == toPublic && len(shape) == 2:
		return []int{shape[0], shape[1], 1, 1}
	}
	return shape
}

// make builds the tensor from given ones.
func (r renamed) make(get func(name string) (Tensor, error)) (Tensor, error) {
	out := Tensor{Name: r.Name, Shape: slices.Clone(r.Shape)}
	for _, p := range r.pieces {
		t, err := get(p.source)
		if err != nil {
			return Tensor{}, err
		}
		data := t.Data
		if p.to >= 0 {
			row := len(data) / t.Shape[0]
			data = data[p.from*row : p.to*row]
		}
		if len(r.pieces) == 1 {
			out.Data = data
			break
		}
		out.Data = append(out.Data, data...)
	}
	return out, nil
}

// Rename returns our tensors under the names of a convention, and the names of
// those that it has none for, which are left out. Where that is the whole encoder
// it is an error. Results may share memory with the given tensors.
func Rename(convention string, tensors []Tensor) (public []Tensor, left []string, err error) {
	byName, infos := map[string]Tensor{}, make([]Info, len(tensors))
	for i, t := range tensors {
		byName[t.Name] = t
		infos[i] = Info{t.Name, t.Shape, "float32"}
	}
	all, err := rename(convention, toPublic, infos)
	if err != nil {
		return nil, nil, err
	}
	encoder := false
	for _, r := range all {
		if !r.known {
			left = append(left, r.Name)
			continue
		}
		encoder = encoder || strings.HasPrefix(r.pieces[0].source, encoderPrefix)
		t, err := r.make(func(name string) (Tensor, error) { return byName[name], nil })
		if err != nil {
			return nil, nil, err
		}
		public = append(public, t)
	}
	if !encoder {
		return nil, nil, fmt.Errorf("%s has no names for this network; there are %s", convention, strings.Join(conventionsFor(infos), ", "))
	}
	return public, left, nil
}

// encoderPrefix begins our names of an encoder's tensors.
const encoderPrefix = "backbone."

// IsEncoder reports whether a tensor is, by our name, one of the encoder's.
func IsEncoder(t Info) bool { return strings.HasPrefix(t.Name, encoderPrefix) }

// IsRequired reports whether a network that starts from a file must find the tensor
// there: the encoder's, but for low-rank adapters, which start as no change.
func IsRequired(t Info) bool { return IsEncoder(t) && !isAdapter(t) }

// isAdapter tells a low-rank adapter by our name, whose ending is that of Hugging Face
// peft.
func isAdapter(t Info) bool {
	return strings.HasSuffix(t.Name, ".lora_A.weight") || strings.HasSuffix(t.Name, ".lora_B.weight")
}

// conventionsFor lists the conventions that name some tensor of the encoder.
func conventionsFor(ours []Info) []string {
	return slices.DeleteFunc(Conventions(), func(convention string) bool {
		all, err := rename(convention, toPublic, ours)
		return err != nil || !slices.ContainsFunc(all, func(r renamed) bool {
			return r.known && strings.HasPrefix(r.pieces[0].source, encoderPrefix)
		})
	})
}
