package ranks

import (
	"encoding/json"
	"fmt"
)

// Tell lets all ranks know of all what each says of itself.
func Tell[T any](g *Group, mine T) ([]T, error) {
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	texts, err := Texts(g, text)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(texts))
	for rank, text := range texts {
		if err := json.Unmarshal(text, &all[rank]); err != nil {
			return nil, fmt.Errorf("what rank %d says of itself: %w", rank, err)
		}
	}
	return all, nil
}
