package datasets

import (
	"fmt"
	"hash"
	"maps"
	"slices"

	"t2sda/internal/raster"
)

func parseColour(c []int) ([3]uint8, error) {
	if len(c) != 3 || slices.ContainsFunc(c, func(v int) bool { return v < 0 || v > 255 }) {
		return [3]uint8{}, fmt.Errorf("color %v is not three numbers of 0–255", c)
	}
	return [3]uint8{uint8(c[0]), uint8(c[1]), uint8(c[2])}, nil
}

// hash adds all that labels are mapped by.
func (m *LabelMap) hash(h hash.Hash) {
	for _, id := range m.table {
		hashInt(h, int64(id))
	}
	for _, n := range slices.Sorted(maps.Keys(m.colours)) {
		hashInt(h, int64(n), int64(m.colours[n]))
	}
}

// fillColours says what colours in label files stand for. A colour that several
// classes are drawn in stands for none of them; one that the map lists twice is an
// error.
func (m *LabelMap) fillColours(f mapFile) error {
	m.colours = map[int]uint8{}
	shared := map[int]bool{}
	for id, c := range m.space.Classes {
		n := channelNumber(c.Color, colourChannel)
		_, shared[n] = m.colours[n]
		m.colours[n] = uint8(id)
	}
	for n, several := range shared {
		if several {
			delete(m.colours, n)
		}
	}
	add := func(list [][]int, to uint8, owner string) error {
		for _, c := range list {
			colour, err := parseColour(c)
			if err != nil {
				return fmt.Errorf("%s: %w", owner, err)
			}
			n := channelNumber(colour, colourChannel)
			if other, taken := m.colours[n]; taken && other != to {
				return fmt.Errorf("%s: %s is given to another class", owner, rawName(n))
			}
			m.colours[n] = to
		}
		return nil
	}
	for _, c := range f.Classes {
		if err := add(c.Colors, uint8(m.space.Index(c.Name)), "class "+c.Name); err != nil {
			return err
		}
	}
	if err := add(f.IgnoreColors, raster.Void, "ignore_colors"); err != nil {
		return err
	}
	const black = firstColour
	if _, taken := m.colours[black]; !taken && !shared[black] {
		m.colours[black] = raster.Void
	}
	return nil
}
