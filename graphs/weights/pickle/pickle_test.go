package pickle

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pickles are what Python's pickle.dumps gives for the values in their comments, at
// protocols 2 to 5.
var pickles = map[string]any{
	// {"a": [1, -2, 300, 70000, 2**40], "b": (None, True, False), "c": 1.5}
	"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffM,\x01Jp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01e" +
		"X\x01\x00\x00\x00bq\x03N\x88\x89\x87q\x04X\x01\x00\x00\x00cq\x05G?\xf8\x00\x00\x00\x00\x00\x00u.": &Dict{
		Keys: []any{"a", "b", "c"},
		Values: []any{
			&List{[]any{int64(1), int64(-2), int64(300), int64(70000), int64(1) << 40}}, Tuple{nil, true, false}, 1.5,
		},
	},
	// (b"xy", "é", 2**70, ())
	"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00(C\x02xy\x94\x8c\x02\xc3\xa9\x94\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@)t\x94.": Tuple{
		[]byte("xy"), "é", Long{0, 0, 0, 0, 0, 0, 0, 0, 0x40}, Tuple{},
	},
	// collections.OrderedDict(a=1), and a class's object with a state
	"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00aq\x02K\x01s.": &Object{
		Callee: Global{"collections", "OrderedDict"}, Args: Tuple{}, Dict: &Dict{[]any{"a"}, []any{int64(1)}},
	},
	"\x80\x04\x8c\x04argp\x94\x8c\x02Ns\x94\x93\x94)\x81\x94}\x94\x8c\x01h\x94K\x05sb.": &Object{
		Callee: Global{"argp", "Ns"}, Args: Tuple{}, State: &Dict{[]any{"h"}, []any{int64(5)}},
	},
	"\x80\x02K\x07Q.":         &Persistent{int64(7)},
	"\x80\x02]K\x01a.":        &List{[]any{int64(1)}},
	"\x80\x02(K\x01K\x02l.":   &List{[]any{int64(1), int64(2)}},
	"\x80\x02(K\x01Nd.":       &Dict{[]any{int64(1)}, []any{nil}},
	"\x80\x04\x8f(K\x01\x90.": &List{[]any{int64(1)}},
	"\x80\x02K\x01K\x020.":    int64(1),
	"\x80\x02K\x01(K\x021.":   int64(1),
	"\x80\x02K\x012\x86.":     Tuple{int64(1), int64(1)},
}

func TestDecode(t *testing.T) {
	for text, want := range pickles {
		d := NewDecoder(strings.NewReader(text+"rest"), int64(len(text)+4))
		have, err := d.Decode()
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if d.Offset() != int64(len(text)) {
			t.Errorf("%q: read %d bytes of %d", text, d.Offset(), len(text))
		}
	}
}

// TestRefuse: a name is refused before anything is made of it.
func TestRefuse(t *testing.T) {
	for _, text := range []string{"\x80\x02cos\nsystem\n.", "\x80\x04\x8c\x02os\x8c\x06system\x93."} {
		d := NewDecoder(strings.NewReader(text), int64(len(text)))
		harm := errors.New("harm")
		d.Refuse = func(g Global) error {
			if g.String() != "os.system" {
				t.Errorf("asked for %s", g)
			}
			return harm
		}
		if _, err := d.Decode(); !errors.Is(err, harm) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for text := range pickles {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := NewDecoder(strings.NewReader(string(text)), int64(len(text)))
		_, err := d.Decode()
		if err == nil && d.Offset() > int64(len(text)) {
			t.Errorf("read %d bytes of %d", d.Offset(), len(text))
		}
	})
}
