package protofield

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestFields writes a message by hand and reads it back.
func TestFields(t *testing.T) {
	b := AppendVarint(nil, 1, 300)
	b = AppendBytes(b, 2, []byte("ab"))
	b = protowire.AppendFixed32(protowire.AppendTag(b, 3, protowire.Fixed32Type), 7)
	b = AppendBytes(b, 2, nil)
	if want := []byte{8, 0xac, 2, 0x12, 2, 'a', 'b', 0x1d, 7, 0, 0, 0, 0x12, 0}; !slices.Equal(b, want) {
		t.Fatalf("%v, want %v", b, want)
	}
	var have []string
	var whole []byte
	if err := Each(b, func(f Field) error {
		have, whole = append(have, fmt.Sprint(f.Num, f.Content)), append(whole, f.Whole...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 [172 2]", "2 [97 98]", "3 [7 0 0 0]", "2 []"}; !slices.Equal(have, want) || !slices.Equal(whole, b) {
		t.Errorf("read as %v, %v", have, whole)
	}
	if Text(b, 2) != "" || Text(b[:7], 2) != "ab" || Text(b, 1) != "" || Varint(b, 1, 5) != 300 || Varint(b, 2, 5) != 5 {
		t.Errorf("%q, %q, %d, %d", Text(b, 2), Text(b[:7], 2), Varint(b, 1, 5), Varint(b, 2, 5))
	}
	for n := 1; n < len(b); n++ {
		err := Each(b[:n], func(Field) error { return nil })
		if cut := !slices.Contains([]int{3, 7, 12}, n); (err != nil) != cut {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}
