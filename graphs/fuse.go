package graphs

import (
	"math"
	"slices"
)

// Fusion of element-wise operators. A chain of them reads and writes its tensors once each at every
// link; as one operator it goes through memory once, a strip of elements at a time, with what lies
// between the links in the cache. ONNX Runtime has no such operator for its CPU provider, so this is
// one of ours ([Graph.MarshalNative]).
//
// A group is made of nodes whose results have equally many elements, so that strip after strip of
// all of them belongs together. Reshape, which moves nothing, is looked through.

// Limits of a group that the kernel knows, too.
const (
	fusedRegisters = 24 // strips between operands and results
	fusedSlots     = 64 // registers, operands and results
	fusedRank      = 8  // dimensions that operands are described by
	fusedMembers   = 64 // nodes; the kernel takes any number, but each attempt to join looks at all
)

// Codes of instructions: what the kernel does with a strip.
const (
	fusedAdd = iota
	fusedSub
	fusedMul
	fusedDiv
	fusedNeg
	fusedClamp01 // max(0, min(1, a))
	fusedFill    // the strip's elements of a smaller operand
)

// fusible are the operators that groups consist of: those for which every processor rounds alike.
var fusible = map[string]int{"Add": fusedAdd, "Sub": fusedSub, "Mul": fusedMul, "Div": fusedDiv, "Neg": fusedNeg, "HardSigmoid": fusedClamp01}

// fusion finds the groups of a graph and puts nodes into them.
type fusion struct {
	nodes   []*Node // in order
	index   map[*Node]int
	readers map[*Value][]*Node
	output  map[*Value]bool
	group   []int   // of a node: a number that it shares with the others of its group
	members [][]int // by number of group, in order; nil for what is part of another group now
	reads   [][]int // of a node: the nodes of its operands, through Reshapes
	able    []bool  // of a node: whether it may be part of a group
	seen    []int   // by number of group: the last search that came there
	search  int
	known   map[*Value]bool // constants, and what depends on nothing else
	moved   map[*Value]bool // see followLayouts
	summed  map[*Value]bool // what an Add reads, see origin
}

// newFusion looks at the nodes, which are all needed.
func (g *Graph) newFusion(nodes []*Node) *fusion {
	f := &fusion{nodes: nodes, index: map[*Node]int{}, readers: map[*Value][]*Node{}, output: map[*Value]bool{}, known: g.constant(), summed: map[*Value]bool{}}
	for _, o := range g.outputs {
		f.output[o.Value] = true
	}
	for i, n := range nodes {
		f.index[n] = i
		f.group, f.members = append(f.group, i), append(f.members, []int{i})
		for _, v := range n.inputs {
			if v != nil {
				f.readers[v] = append(f.readers[v], n)
			}
			if n.op == "Add" {
				f.summed[origin(v)] = true
			}
		}
	}
	f.followLayouts()
	return f
}

// fuse returns the nodes with groups of them replaced, in topological order. Some may not be needed any
// more: Reshapes that were looked through.
func (f *fusion) fuse() []*Node {
	f.seen = make([]int, len(f.nodes))
	f.reads, f.able = make([][]int, len(f.nodes)), make([]bool, len(f.nodes))
	for i, n := range f.nodes {
		f.able[i] = f.takes(n)
		for _, v := range n.inputs {
			if v != nil {
				if v = flat(v); v.node != nil {
					f.reads[i] = append(f.reads[i], f.index[v.node])
				}
			}
		}
	}
	for i := range f.nodes {
		if f.able[i] {
			f.join(i)
		}
	}
	return f.written()
}

// takes reports whether n may be part of a group. What writes an output of the graph may not: a
// caller may have given it an input's memory.
func (f *fusion) takes(n *Node) bool {
	_, ok := fusible[n.op]
	if !ok || n.outputs[0].dtype != Float32 || f.output[n.outputs[0]] || len(n.outputs[0].shape) > fusedRank {
		return false
	}
	return !f.moved[n.outputs[0]] && !f.fusedElsewhere(n)
}

// followLayouts finds the values that ONNX Runtime may compute in another layout: before a Transpose of
// an operand instead of after it, or in blocks of channels, which it uses after convolutions with
// constant weights. They are all that come of it but through operators that need an order of axes. Sums
// are taken in another order then, so that these nodes are left to it, too.
func (f *fusion) followLayouts() {
	f.moved = map[*Value]bool{}
	for _, n := range f.nodes {
		if begins := n.op == "Transpose" || n.op == "Conv" && f.known[n.inputs[1]]; !begins {
			fixed := slices.Contains(fixedAxes, n.op) || n.op == "Reshape" && !keepsAxes(n)
			if fixed || !slices.ContainsFunc(n.inputs, func(v *Value) bool { return f.moved[v] }) {
				continue
			}
		}
		for _, v := range n.outputs {
			f.moved[v] = true
		}
	}
}

// keepsAxes reports whether a Reshape moves axes of one element alone, which for ONNX Runtime is a
// Transpose.
func keepsAxes(n *Node) bool {
	long := func(v *Value) (axes []int) {
		for _, d := range v.shape {
			if d != 1 {
				axes = append(axes, d)
			}
		}
		return axes
	}
	return slices.Equal(long(n.inputs[0]), long(n.outputs[0]))
}

// fixedAxes are the operators that no Transpose is moved through. Most Reshapes are, too, see keepsAxes.
var fixedAxes = []string{"Conv", "ConvTranspose", "DepthwiseWeightGrad", "FusedMatMul", "Gather", "GatherElements", "Gelu", "GeluGrad", "Gemm", "LayerNormGrad", "LayerNormalization", "MatMul", "ResizeGrad", "ScatterElements", "ScatterND", "SoftmaxGrad"}

// fusedElsewhere reports whether ONNX Runtime may make one operator of n and a neighbour: sums and
// activations after convolutions and products, factors about products, what is multiplied by its
// sigmoid or by a quotient of 1, biases before GELU, sums before a norm.
func (f *fusion) fusedElsewhere(n *Node) bool {
	factor := isFactor(n)
	for _, v := range n.inputs {
		if v.node == nil {
			continue
		}
		if from := origin(v).node; from != nil && slices.Contains(productOps, from.op) && (n.op == "Add" || n.op == "HardSigmoid" || factor) {
			return true
		}
		if n.op == "Mul" && joinsProduct(v) {
			return true
		}
	}
	if n.op == "Div" && isOne(n.inputs[0]) {
		return true
	}
	return slices.ContainsFunc(f.readers[n.outputs[0]], func(r *Node) bool {
		return factor && f.scales(r) || n.op == "Add" && (r.op == "Gelu" || r.op == "LayerNormalization")
	})
}

// joinsProduct reports whether ONNX Runtime may make one operator of a product and what v is computed by.
func joinsProduct(v *Value) bool {
	return v.node != nil && (v.node.op == "Sigmoid" || v.node.op == "Div" && isOne(v.node.inputs[0]))
}

// isFactor reports whether n multiplies by a constant, or divides by it.
func isFactor(n *Node) bool {
	return (n.op == "Mul" || n.op == "Div") && slices.ContainsFunc(n.inputs, isSingle)
}

// isSingle reports whether v is a constant of one element.
func isSingle(v *Value) bool { return v.data != nil && v.shape.Size() == 1 }

func isOne(v *Value) bool { return v.data != nil && len(v.data.floats) == 1 && v.data.floats[0] == 1 }

// origin returns what v is but for what ONNX Runtime may leave out, merge with it or move behind it:
// operators that do nothing or move axes, and those with a constant of one element.
func origin(v *Value) *Value {
	for v.node != nil {
		n, k := v.node, 0
		switch n.op {
		case "Identity", "Transpose":
		case "Cast":
			if n.inputs[0].dtype != v.dtype {
				return v
			}
		case "Reshape":
			if !keepsAxes(n) {
				return v
			}
		case "Add", "Sub", "Mul", "Div":
			if k = slices.IndexFunc(n.inputs, isSingle); k < 0 {
				return v
			}
			k = 1 - k
		default:
			return v
		}
		v = n.inputs[k]
	}
	return v
}

// scales reports whether r is a product, or a constant factor before one.
func (f *fusion) scales(r *Node) bool {
	return slices.Contains(productOps, r.op) || isFactor(r) && slices.ContainsFunc(f.readers[r.outputs[0]], f.scales)
}

// flat returns what v is made of by Reshapes alone.
func flat(v *Value) *Value {
	for v.node != nil && v.node.op == "Reshape" {
		v = v.node.inputs[0]
	}
	return v
}

// join puts node i into the groups of the operands that are as large as it, as far as no way leads
// out of the group and back.
func (f *fusion) join(i int) {
	size := f.nodes[i].outputs[0].shape.Size()
	for _, k := range f.reads[i] {
		if !f.able[k] || f.nodes[k].outputs[0].shape.Size() != size {
			continue
		}
		if a, b := f.group[k], f.group[i]; a != b && f.fits(a, b) {
			for _, k := range f.members[b] {
				f.group[k] = a
			}
			f.members[a] = append(f.members[a], f.members[b]...)
			slices.Sort(f.members[a])
			f.members[b] = nil
		}
	}
}

// fits reports whether two groups can be one: small enough for the kernel, and without a way from
// one of their nodes through others to one of theirs.
func (f *fusion) fits(a, b int) bool {
	members := slices.Concat(f.members[a], f.members[b])
	if len(members) > fusedMembers {
		return false
	}
	slices.Sort(members)
	if _, ok := f.plan(members); !ok {
		return false
	}
	f.search++
	f.seen[a], f.seen[b] = f.search, f.search
	var open []int
	for _, i := range members {
		for _, k := range f.reads[i] {
			open = f.visit(open, f.group[k])
		}
	}
	for len(open) > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		for _, i := range f.members[last] {
			for _, k := range f.reads[i] {
				to := f.group[k]
				if to == a || to == b {
					return false
				}
				open = f.visit(open, to)
			}
		}
	}
	return true
}

// visit adds a group to those that a search has to look at, once.
func (f *fusion) visit(open []int, group int) []int {
	if f.seen[group] == f.search {
		return open
	}
	f.seen[group] = f.search
	return append(open, group)
}

// fused is a group as one operator: what its attributes say.
type fused struct {
	space     int // elements of every result
	operands  []*Value
	results   []*Value
	patterns  [][]int // of operands: dimensions and steps, one after the other, see pattern
	registers int
	once      []int // register, operand or −1, bits of a constant: filled before the first strip
	code      []int // operation, slots of its result and its two operands
}

// Slots while the numbers of registers and operands are not known yet.
const (
	operandSlot = 1000
	resultSlot  = 2000
)

// writer writes the code of a group.
type writer struct {
	*fusion
	fused
	inside    map[*Value]bool
	uses      map[*Value]int // still to come, of what is computed inside
	slots     map[*Value]int
	constants map[uint32]int // registers by bits
	smaller   map[int]int    // registers of operands, by number
	free      []int
}

// plan works out what a group does; false where it is more than the kernel takes.
func (f *fusion) plan(members []int) (*fused, bool) {
	w := &writer{
		fusion: f, inside: map[*Value]bool{}, uses: map[*Value]int{}, slots: map[*Value]int{},
		constants: map[uint32]int{}, smaller: map[int]int{},
	}
	w.space = f.nodes[members[0]].outputs[0].shape.Size()
	for _, i := range members {
		w.inside[f.nodes[i].outputs[0]] = true
	}
	for _, i := range members {
		for _, v := range f.nodes[i].inputs {
			if v = flat(v); w.inside[v] {
				w.uses[v]++
			}
		}
	}
	for _, i := range members {
		w.node(f.nodes[i])
	}
	if w.registers > fusedRegisters || w.registers+len(w.operands)+len(w.results) > fusedSlots {
		return nil, false
	}
	w.arrange()
	for i := range w.code {
		if i%4 != 0 {
			w.code[i] = w.slot(w.code[i])
		}
	}
	return &w.fused, true
}

// arrange puts first the result that the last instruction writes, and an operand as large as it that
// nothing else reads, if there is one: they may share memory.
func (w *writer) arrange() {
	last := len(w.results) - 1
	swap(w.results, w.code, last, resultSlot)
	for i, v := range w.operands {
		if v.shape.Size() == w.space && !w.readOutside(v) && v.node != nil {
			w.patterns[0], w.patterns[i] = w.patterns[i], w.patterns[0]
			swap(w.operands, w.code, i, operandSlot)
			for k := 1; k < len(w.once); k += 3 {
				switch w.once[k] {
				case 0:
					w.once[k] = i
				case i:
					w.once[k] = 0
				}
			}
			return
		}
	}
}

// swap exchanges value i with the first one, and their slots in the code.
func swap(values []*Value, code []int, i, slots int) {
	values[0], values[i] = values[i], values[0]
	for k, s := range code {
		switch {
		case k%4 == 0:
		case s == slots:
			code[k] = slots + i
		case s == slots+i:
			code[k] = slots
		}
	}
}

// slot returns the number that the kernel knows a slot by.
func (w *writer) slot(s int) int {
	switch {
	case s >= resultSlot:
		return s - resultSlot + w.registers + len(w.operands)
	case s >= operandSlot:
		return s - operandSlot + w.registers
	}
	return s
}

// node writes the instructions of a node.
func (w *writer) node(n *Node) {
	out := n.outputs[0]
	var in [2]int
	for k, v := range n.inputs {
		in[k] = w.operand(v, out.shape)
	}
	if len(n.inputs) == 1 {
		in[1] = in[0]
	}
	for _, v := range n.inputs { // what is read for the last time makes room for the result
		if v = flat(v); w.inside[v] {
			w.release(v)
		}
	}
	if w.readOutside(out) {
		w.slots[out] = resultSlot + len(w.results)
		w.results = append(w.results, out)
	} else {
		w.slots[out] = w.register()
	}
	to := w.slots[out]
	if n.op == "HardSigmoid" {
		w.emit(fusedMul, to, in[0], w.constant(n.Float("alpha")))
		w.emit(fusedAdd, to, to, w.constant(n.Float("beta")))
		in[0], in[1] = to, to
	}
	w.emit(fusible[n.op], to, in[0], in[1])
}

func (w *writer) emit(op, to, a, b int) { w.code = append(w.code, op, to, a, b) }

func (w *writer) register() int {
	if k := len(w.free) - 1; k >= 0 {
		r := w.free[k]
		w.free = w.free[:k]
		return r
	}
	return w.kept()
}

// release counts a use of what is computed inside.
func (w *writer) release(v *Value) {
	if w.uses[v]--; w.uses[v] == 0 && w.slots[v] < operandSlot {
		w.free = append(w.free, w.slots[v])
	}
}

// readOutside reports whether what a member computes is read by others, through a Reshape, too.
func (w *writer) readOutside(v *Value) bool {
	for _, r := range w.readers[v] {
		if r.op != "Reshape" {
			if !w.inside[r.outputs[0]] {
				return true
			}
		} else if out := r.outputs[0]; w.output[out] || w.readOutside(out) {
			return true
		}
	}
	return false
}

// operand returns the slot of a node's operand.
func (w *writer) operand(v *Value, shape Shape) int {
	if c, ok := v.scalarConst(); ok {
		return w.constant(c)
	}
	from := flat(v)
	if w.inside[from] {
		return w.slots[from]
	}
	dims := pattern(v.shape, shape)
	i := 0
	for i < len(w.operands) && (w.operands[i] != from || !slices.Equal(w.patterns[i], dims)) {
		i++
	}
	if i == len(w.operands) {
		w.operands, w.patterns = append(w.operands, from), append(w.patterns, dims)
	}
	if from.shape.Size() == w.space {
		return operandSlot + i
	}
	if r, ok := w.smaller[i]; ok {
		return r
	}
	r := w.kept()
	w.smaller[i] = r
	if from.shape.Size() == 1 {
		w.once = append(w.once, r, i, 0)
	} else {
		w.emit(fusedFill, r, operandSlot+i, operandSlot+i)
	}
	return r
}

// kept returns a register that is never used for anything else.
func (w *writer) kept() int {
	w.registers++
	return w.registers - 1
}

// constant returns the register that holds c.
func (w *writer) constant(c float32) int {
	bits := math.Float32bits(c)
	if r, ok := w.constants[bits]; ok {
		return r
	}
	r := w.kept()
	w.constants[bits] = r
	w.once = append(w.once, r, -1, int(bits))
	return r
}

// pattern returns the dimensions of a result of that shape, and for each the step that it is in the
// memory of an operand that is broadcast to it. Neighbours that can be one dimension are.
func pattern(operand, result Shape) []int {
	var dims, steps []int
	step := 1
	for i := range slices.Backward(result) {
		n, s := result[i], 0
		if k := i - len(result) + len(operand); k >= 0 && operand[k] > 1 {
			s = step
			step *= n
		}
		switch last := len(dims) - 1; {
		case n == 1:
		case last >= 0 && (s == 0 && steps[last] == 0 || s != 0 && s == steps[last]*dims[last]):
			dims[last] *= n
		default:
			dims, steps = append(dims, n), append(steps, s)
		}
	}
	slices.Reverse(dims)
	slices.Reverse(steps)
	return append(dims, steps...)
}

// written returns the nodes in the place of which groups are one node each.
func (f *fusion) written() []*Node {
	by := make([]*Node, len(f.members)) // by number of group
	for k, members := range f.members {
		if len(members) == 1 {
			by[k] = f.nodes[members[0]]
		} else if len(members) > 1 {
			by[k] = f.node(members)
		}
	}
	var out []*Node
	done := make([]bool, len(by))
	var write func(k int)
	write = func(k int) {
		if done[k] {
			return
		}
		done[k] = true
		for _, v := range by[k].inputs {
			if v != nil && v.node != nil {
				write(f.group[f.index[v.node]])
			}
		}
		out = append(out, by[k])
	}
	for i, k := range f.group {
		if members := f.members[k]; members[len(members)-1] == i {
			write(k)
		}
	}
	return out
}

// node is a group as a node, named after its last one.
func (f *fusion) node(members []int) *Node {
	c, _ := f.plan(members)
	var operands []int
	for _, p := range c.patterns {
		operands = append(append(operands, len(p)/2), p...)
	}
	return &Node{
		op: "Elementwise", domain: NativeDomain, name: f.nodes[members[len(members)-1]].name, inputs: c.operands, outputs: c.results, optional: len(c.results),
		attrs: []Attr{{"sizes", []int{c.space, c.registers}}, {"operands", operands}, {"results", shapesOf(c.results)}, {"once", c.once}, {"code", c.code}},
	}
}
