package pickle

// Values are nil (None), bool, int64, float64, string, []byte and the types below.

// Tuple is a tuple.
type Tuple []any

// List is a list, a set or a frozen set.
type List struct{ Items []any }

// Dict is a dictionary, in order of insertion; a key that is set twice stands
// twice.
type Dict struct{ Keys, Values []any }

// Long is an integer beyond 64 bits: two's complement, little-endian.
type Long []byte

// Global is the name of a class or function. It is only a name.
type Global struct{ Module, Name string }

// String returns "module.name".
func (g Global) String() string { return g.Module + "." + g.Name }

// Object stands for what a call would have returned.
type Object struct {
	Callee any   // Global, as a rule
	Args   Tuple // of the call
	State  any   // what __setstate__ would get
	Dict   *Dict // what was set on it by key
	List   *List // what was appended to it
}

// Class returns the callee's name, or words for what it is else.
func (o *Object) Class() string {
	switch c := o.Callee.(type) {
	case Global:
		return c.String()
	case *Persistent: // old files of PyTorch: ("module", class, file, its source text)
		if t, ok := c.ID.(Tuple); ok && len(t) > 1 {
			if g, ok := t[1].(Global); ok {
				return g.String()
			}
		}
	}
	return "something without a name"
}

// Persistent stands for something outside of the pickle, a storage's elements in
// PyTorch's files.
type Persistent struct{ ID any }

// Get returns the value of a text key that was set last, nil when there is none.
func (d *Dict) Get(key string) any {
	for i := len(d.Keys) - 1; i >= 0; i-- {
		if d.Keys[i] == any(key) {
			return d.Values[i]
		}
	}
	return nil
}
