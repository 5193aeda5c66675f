package pickle

import (
	"errors"
	"fmt"
)

const opStop = '.'

// ops holds what is done for every opcode that is known, by the names and numbers
// of Python's Lib/pickletools.py.
var ops = map[byte]func(*Decoder) error{
	0x80: (*Decoder).proto,
	0x95: func(d *Decoder) error { _, err := d.uint(8); return err },                     // FRAME: a hint for readers
	'(':  func(d *Decoder) error { d.marks = append(d.marks, len(d.stack)); return nil }, // MARK
	'0':  func(d *Decoder) error { _, err := d.pop(); return err },                       // POP
	'1':  func(d *Decoder) error { _, err := d.popMark(); return err },                   // POP_MARK
	'2': func(d *Decoder) error { // DUP
		v, err := d.top()
		d.push(v)
		return err
	},

	'N':  constant(nil),
	0x88: constant(true),
	0x89: constant(false),
	'K':  unsigned(1), // BININT1
	'M':  unsigned(2), // BININT2
	'J':  long(4),     // BININT
	0x8a: sizedLong(1),
	0x8b: sizedLong(4),
	'G': func(d *Decoder) error { // BINFLOAT
		x, err := d.float()
		d.push(x)
		return err
	},

	'X':  text(4), // BINUNICODE
	0x8c: text(1),
	0x8d: text(8),
	'T':  text(4), // BINSTRING and SHORT_BINSTRING: Python 2's texts
	'U':  text(1),
	'B':  blob(4), // BINBYTES
	'C':  blob(1),
	0x8e: blob(8),
	0x96: blob(8), // BYTEARRAY8

	')':  func(d *Decoder) error { d.push(Tuple{}); return nil },
	0x85: tuple(1),
	0x86: tuple(2),
	0x87: tuple(3),
	't': func(d *Decoder) error { // TUPLE
		items, err := d.popMark()
		d.push(Tuple(items))
		return err
	},
	']':  func(d *Decoder) error { d.push(&List{}); return nil },
	0x8f: func(d *Decoder) error { d.push(&List{}); return nil }, // EMPTY_SET
	'l':  (*Decoder).listOfMarked,
	0x91: (*Decoder).listOfMarked, // FROZENSET
	'a':  (*Decoder).append,
	'e':  (*Decoder).appends,
	0x90: (*Decoder).appends, // ADDITEMS
	'}':  func(d *Decoder) error { d.push(&Dict{}); return nil },
	'd':  (*Decoder).dictOfMarked,
	's':  (*Decoder).setItem,
	'u':  (*Decoder).setItems,

	'q':  put(1),
	'r':  put(4),
	0x94: func(d *Decoder) error { return d.store(uint32(len(d.memo))) }, // MEMOIZE
	'h':  get(1),
	'j':  get(4),

	'c':  (*Decoder).global,
	0x93: (*Decoder).stackGlobal,
	'R':  (*Decoder).reduce,
	0x81: (*Decoder).reduce, // NEWOBJ: the class is called likewise
	0x92: func(d *Decoder) error { // NEWOBJ_EX: with named arguments, which are dropped
		if _, err := d.pop(); err != nil {
			return err
		}
		return d.reduce()
	},
	'b': (*Decoder).build,
	'Q': func(d *Decoder) error { // BINPERSID
		id, err := d.pop()
		d.push(&Persistent{id})
		d.Persistents = append(d.Persistents, id)
		return err
	},
}

func (d *Decoder) proto() error {
	p, err := d.byte()
	if err == nil && (p < 2 || p > 5) {
		err = fmt.Errorf("protocol %d, want 2 to 5", p)
	}
	return err
}

func constant(v any) func(*Decoder) error {
	return func(d *Decoder) error { d.push(v); return nil }
}

func unsigned(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		x, err := d.uint(n)
		d.push(int64(x))
		return err
	}
}

func long(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		b, err := d.bytes(n)
		d.push(integer(b))
		return err
	}
}

func sizedLong(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		length, err := d.uint(n)
		if err == nil && length > maxLong {
			err = fmt.Errorf("an integer of %d bytes", length)
		}
		if err != nil {
			return err
		}
		return long(length)(d)
	}
}

func text(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		b, err := d.sized(n)
		d.push(string(b))
		return err
	}
}

func blob(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		b, err := d.sized(n)
		d.push(b)
		return err
	}
}

func tuple(n int) func(*Decoder) error {
	return func(d *Decoder) error {
		at := len(d.stack) - n
		if at < d.floor() {
			return errStack
		}
		t := append(Tuple(nil), d.stack[at:]...)
		d.stack = append(d.stack[:at], t)
		return nil
	}
}

func put(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		i, err := d.uint(n)
		if err != nil {
			return err
		}
		return d.store(uint32(i))
	}
}

func (d *Decoder) store(i uint32) error {
	v, err := d.top()
	if err == nil {
		d.memo[i] = v
	}
	return err
}

func get(n uint64) func(*Decoder) error {
	return func(d *Decoder) error {
		i, err := d.uint(n)
		if err != nil {
			return err
		}
		v, ok := d.memo[uint32(i)]
		if !ok {
			return fmt.Errorf("malformed: nothing is remembered under %d", i)
		}
		d.push(v)
		return nil
	}
}

func (d *Decoder) listOfMarked() error {
	items, err := d.popMark()
	d.push(&List{items})
	return err
}

func (d *Decoder) append() error {
	v, err := d.pop()
	if err != nil {
		return err
	}
	return d.extend(v)
}

func (d *Decoder) appends() error {
	items, err := d.popMark()
	if err != nil {
		return err
	}
	return d.extend(items...)
}

// extend appends to the list on top, or to an object that stands for one.
func (d *Decoder) extend(items ...any) error {
	v, err := d.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *List:
		v.Items = append(v.Items, items...)
	case *Object:
		if v.List == nil {
			v.List = &List{}
		}
		v.List.Items = append(v.List.Items, items...)
	default:
		return fmt.Errorf("malformed: items are appended to a %T", v)
	}
	return nil
}

func (d *Decoder) dictOfMarked() error {
	items, err := d.popMark()
	if err != nil {
		return err
	}
	d.push(&Dict{})
	return d.set(items)
}

func (d *Decoder) setItem() error {
	key, value, err := d.pop2()
	if err != nil {
		return err
	}
	return d.set([]any{key, value})
}

func (d *Decoder) setItems() error {
	items, err := d.popMark()
	if err != nil {
		return err
	}
	return d.set(items)
}

// set sets keys and values, which take turns, in the dictionary on top, or in an
// object that stands for one.
func (d *Decoder) set(items []any) error {
	v, err := d.top()
	if err != nil {
		return err
	}
	if len(items)%2 != 0 {
		return errors.New("malformed: a key without a value")
	}
	var to *Dict
	switch v := v.(type) {
	case *Dict:
		to = v
	case *Object:
		if v.Dict == nil {
			v.Dict = &Dict{}
		}
		to = v.Dict
	default:
		return fmt.Errorf("malformed: keys are set in a %T", v)
	}
	for i := 0; i < len(items); i += 2 {
		to.Keys, to.Values = append(to.Keys, items[i]), append(to.Values, items[i+1])
	}
	return nil
}

func (d *Decoder) global() error {
	module, err := d.line()
	if err != nil {
		return err
	}
	name, err := d.line()
	if err != nil {
		return err
	}
	return d.named(module, name)
}

func (d *Decoder) stackGlobal() error {
	lower, upper, err := d.pop2()
	if err != nil {
		return err
	}
	module, ok := lower.(string)
	name, ok2 := upper.(string)
	if !ok || !ok2 {
		return errors.New("malformed: a name that is no text")
	}
	return d.named(module, name)
}

func (d *Decoder) named(module, name string) error {
	g := Global{module, name}
	if d.Refuse != nil {
		if err := d.Refuse(g); err != nil {
			return err
		}
	}
	d.push(g)
	return nil
}

// reduce pops callee and arguments and pushes what stands for the call.
func (d *Decoder) reduce() error {
	callee, args, err := d.pop2()
	if err != nil {
		return err
	}
	t, ok := args.(Tuple)
	if !ok {
		return fmt.Errorf("malformed: a call with a %T in place of arguments", args)
	}
	d.push(&Object{Callee: callee, Args: t})
	return nil
}

// build gives the object below its state.
func (d *Decoder) build() error {
	state, err := d.pop()
	if err != nil {
		return err
	}
	v, err := d.top()
	if err != nil {
		return err
	}
	o, ok := v.(*Object)
	if !ok {
		return fmt.Errorf("malformed: a %T is given state", v)
	}
	o.State = state
	return nil
}
