package graphs

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Graph is a list of nodes under construction. It is not safe for concurrent use.
type Graph struct {
	name    string
	nodes   []*Node // in order of creation, which is topological
	inputs  []*Value
	consts  []*Value
	outputs []Output
	meta    map[string]string
	free    bool // of sizes, see free.go

	scope   string
	exact   bool            // what is created stays float32, see [Graph.Exact]
	names   map[string]bool // names of values
	counts  map[string]int  // nodes so far by "scope/Operator"
	seen    map[string]*Node
	folded  map[string]*Value // small constants by content
	blocks  []block           // in order of their ends
	inBlock bool

	shortcuts []shortcut

	nextID  int
	nextVal int
}

// Output is a named result of the graph.
type Output struct {
	Name  string
	Value *Value
}

// smallConstant is the size in elements up to which constants are deduplicated by content; larger
// ones are weights, which are not worth hashing.
const smallConstant = 64

// Build creates a graph called name, lets f fill it and returns it. A builder's panic with *Error
// becomes the returned error; other panics pass through.
func Build(name string, f func(g *Graph)) (g *Graph, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			g, err = nil, fmt.Errorf("building %q: %w", name, r)
		default:
			panic(r)
		}
	}()
	g = &Graph{
		name: name, meta: map[string]string{}, names: map[string]bool{}, counts: map[string]int{},
		seen: map[string]*Node{}, folded: map[string]*Value{},
	}
	f(g)
	return g, nil
}

// Name returns the graph's name.
func (g *Graph) Name() string { return g.name }

// Inputs returns all inputs in order of declaration, parameters included.
func (g *Graph) Inputs() []*Value { return slices.Clone(g.inputs) }

// Params returns the inputs that are trainable parameters, in order of declaration.
func (g *Graph) Params() []*Value {
	return slices.DeleteFunc(slices.Clone(g.inputs), func(v *Value) bool { return !v.param })
}

// Outputs returns the outputs in order of declaration.
func (g *Graph) Outputs() []Output { return slices.Clone(g.outputs) }

// Nodes returns all nodes in topological order, also those that no output needs.
func (g *Graph) Nodes() []*Node { return slices.Clone(g.nodes) }

// SetMetadata adds an entry to the model's metadata_props, or replaces it.
func (g *Graph) SetMetadata(key, value string) { g.meta[key] = value }

// WithScope prefixes the names of all nodes that f creates: "name/Conv_0", and "outer.name/Conv_0"
// inside of another scope.
func (g *Graph) WithScope(name string, f func()) {
	outer := g.scope
	defer func() { g.scope = outer }()
	if outer != "" {
		name = outer + "." + name
	}
	g.scope = name
	f()
}

// Input declares an input that the caller feeds at every run. It panics when the name is taken or a
// dimension is not positive.
func (g *Graph) Input(name string, dt DType, dims ...int) *Value {
	g.checkDims("Input", name, dims)
	g.claim("Input", name)
	v := g.newValue(name, dt, dims)
	g.inputs = append(g.inputs, v)
	return v
}

// Param declares a float32 input that is a trainable parameter. It panics when the name is taken or
// a dimension is not positive.
func (g *Graph) Param(name string, dims ...int) *Value {
	v := g.Input(name, Float32, dims...)
	v.param = true
	return v
}

// Floats returns a float32 constant. Small ones are deduplicated; data of large ones is referred to
// until Marshal and must not change. It panics when dims do not fit the data.
func (g *Graph) Floats(data []float32, dims ...int) *Value {
	g.checkData("Floats", len(data), dims)
	if len(data) > smallConstant {
		return g.newConst("weights", Float32, dims, &constant{floats: data})
	}
	var b strings.Builder
	fmt.Fprint(&b, "f", dims)
	for _, x := range data {
		fmt.Fprintf(&b, " %x", math.Float32bits(x))
	}
	return g.fold(b.String(), "const", Float32, dims, &constant{floats: slices.Clone(data)})
}

// Ints returns an int64 constant, deduplicated when small, as Floats does.
func (g *Graph) Ints(data []int64, dims ...int) *Value {
	g.checkData("Ints", len(data), dims)
	if len(data) > smallConstant {
		return g.newConst("indices", Int64, dims, &constant{ints: data})
	}
	return g.fold(fmt.Sprint("i", dims, data), "ints", Int64, dims, &constant{ints: slices.Clone(data)})
}

// Scalar returns a float32 constant of rank 0.
func (g *Graph) Scalar(v float32) *Value { return g.Floats([]float32{v}) }

// Output declares v as an output called name. The value takes that name; an Identity is inserted
// when v is an input, a constant or an output already. It panics when the name is taken.
func (g *Graph) Output(name string, v *Value) {
	g.check("Output", v)
	if name == "" || g.names[name] {
		g.fail("Output", []*Value{v}, "name %q is empty or taken", name)
	}
	isOutput := slices.ContainsFunc(g.outputs, func(o Output) bool { return o.Value == v })
	if v.node == nil || isOutput {
		v = g.append("Identity", "", []*Value{v}, nil, 1, result{v.dtype, v.shape}).outputs[0]
	}
	delete(g.names, v.name)
	g.names[name] = true
	v.name = name
	g.outputs = append(g.outputs, Output{Name: name, Value: v})
}

// ints1 returns a rank-1 int64 constant, the form in which operators take shapes and axes.
func (g *Graph) ints1(list []int) *Value {
	data := make([]int64, len(list))
	for i, x := range list {
		data[i] = int64(x)
	}
	return g.Ints(data, len(list))
}

// result is the type and shape of an operator's output.
type result struct {
	dtype DType
	shape Shape
}

// add returns the node that applies op, an equal one that exists already if there is one. Outputs
// from index optional on may be left out of the model when unread.
func (g *Graph) add(op, domain string, in []*Value, attrs []Attr, optional int, out ...result) *Node {
	k := key(op, in, attrs)
	if n := g.seen[k]; n != nil {
		n.exact = n.exact || g.exact
		return n
	}
	n := g.append(op, domain, in, attrs, optional, out...)
	g.seen[k] = n
	return n
}

// add1 is add for the usual operator: ONNX's own domain and one output.
func (g *Graph) add1(op string, in []*Value, dt DType, shape Shape, attrs ...Attr) *Value {
	return g.add(op, "", in, attrs, 1, result{dt, shape}).outputs[0]
}

func (g *Graph) append(op, domain string, in []*Value, attrs []Attr, optional int, out ...result) *Node {
	n := &Node{op: op, domain: domain, name: g.peekName(op), inputs: in, attrs: attrs, optional: optional, exact: g.exact}
	g.counts[g.prefix()+op]++
	for i, r := range out {
		name := n.name
		if i > 0 {
			name = fmt.Sprintf("%s:%d", n.name, i)
		}
		for g.names[name] { // an output or input may bear the name already
			name += "'"
		}
		g.names[name] = true
		v := g.newValue(name, r.dtype, r.shape)
		v.node, v.index = n, i
		n.outputs = append(n.outputs, v)
	}
	g.nodes = append(g.nodes, n)
	return n
}

func (g *Graph) prefix() string {
	if g.scope == "" {
		return ""
	}
	return g.scope + "/"
}

// peekName returns the name that the next node of operator op gets.
func (g *Graph) peekName(op string) string {
	p := g.prefix() + op
	return fmt.Sprintf("%s_%d", p, g.counts[p])
}

func (g *Graph) newValue(name string, dt DType, shape Shape) *Value {
	g.nextID++
	return &Value{g: g, id: g.nextID, name: name, dtype: dt, shape: shape.Clone()}
}

func (g *Graph) newConst(kind string, dt DType, dims []int, data *constant) *Value {
	name := ""
	for name == "" || g.names[name] {
		name = fmt.Sprintf("%s_%d", kind, g.nextVal)
		g.nextVal++
	}
	g.names[name] = true
	v := g.newValue(name, dt, dims)
	v.data = data
	g.consts = append(g.consts, v)
	return v
}

func (g *Graph) fold(key, kind string, dt DType, dims []int, data *constant) *Value {
	if v := g.folded[key]; v != nil {
		return v
	}
	v := g.newConst(kind, dt, dims, data)
	g.folded[key] = v
	return v
}

func (g *Graph) claim(op, name string) {
	if name == "" || g.names[name] {
		panic(&Error{Op: op, Node: name, Message: "the name is empty or taken"})
	}
	g.names[name] = true
}

func (g *Graph) checkDims(op, name string, dims []int) {
	for _, d := range dims {
		if d <= 0 {
			panic(&Error{Op: op, Node: name, Shapes: []Shape{Shape(dims).Clone()}, Message: "dimensions must be positive"})
		}
	}
}

func (g *Graph) checkData(op string, n int, dims []int) {
	for _, d := range dims {
		if d < 0 {
			panic(&Error{Op: op, Shapes: []Shape{Shape(dims).Clone()}, Message: "negative dimension"})
		}
	}
	if Shape(dims).Size() != n {
		panic(&Error{Op: op, Shapes: []Shape{Shape(dims).Clone()}, Message: fmt.Sprintf("%d elements of data", n)})
	}
}
