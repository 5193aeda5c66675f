package score

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
)

// counted is what one of several processes has counted of an evaluation.
type counted struct {
	Total   *Confusion      `json:"total"`
	Images  int             `json:"images"`
	Worst   []ImageScore    `json:"worst,omitempty"`
	Skipped map[int]Skipped `json:"skipped,omitempty"` // by number in the data set
}

// share is the number of images that are evaluated here.
func (e *evaluation) share() int { return (e.d.Len() - e.o.Part + e.o.Parts - 1) / e.o.Parts }

// among runs this process's part.
func (e *evaluation) among(ctx context.Context) error {
	if e.o.While == nil {
		return e.run(ctx)
	}
	return e.o.While(ctx, e.run)
}

// join adds what the processes have counted, numbers of pixels and images, to the whole.
// err is how it went here.
func (e *evaluation) join(err error) error {
	if e.o.Together == nil {
		return err
	}
	mine, jsonErr := json.Marshal(counted{e.total, e.images, e.worst, e.skipped})
	if err == nil {
		err = jsonErr
	}
	parts, err := e.o.Together(mine, err)
	if err != nil {
		return err
	}
	all := counted{Total: NewConfusion(e.total.Classes()), Skipped: map[int]Skipped{}}
	for _, text := range parts {
		if err := all.add(text); err != nil {
			return err
		}
	}
	e.total, e.images, e.skipped, e.worst = all.Total, all.Images, all.Skipped, e.lowest(all.Worst)
	return nil
}

func (c *counted) add(text []byte) error {
	var part counted
	if err := json.Unmarshal(text, &part); err != nil {
		return err
	}
	if err := c.Total.Merge(part.Total); err != nil {
		return err
	}
	c.Images += part.Images
	c.Worst = append(c.Worst, part.Worst...)
	for i, s := range part.Skipped {
		c.Skipped[i] = s
	}
	return nil
}

// lowest sorts scores and keeps those that are to be listed.
func (e *evaluation) lowest(scores []ImageScore) []ImageScore {
	slices.SortFunc(scores, func(a, b ImageScore) int {
		return cmp.Or(cmp.Compare(a.PixelAccuracy, b.PixelAccuracy), cmp.Compare(a.ID, b.ID))
	})
	return scores[:min(len(scores), e.o.Worst)]
}
