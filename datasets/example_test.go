package datasets_test

import (
	"fmt"

	"t2sda/datasets"
)

// Rare class sampling draws images for rare classes far more often than their
// share of the pixels.
func ExampleNewRCS() {
	stats := &datasets.Stats{
		Classes: []string{"road", "rider"},
		Pixels:  []int64{2_000_000, 60_000},
		Files: []datasets.FileStats{
			{ID: "a", W: 2048, H: 1024, Pixels: []int64{1_000_000, 0}},
			{ID: "b", W: 2048, H: 1024, Pixels: []int64{1_000_000, 60_000}},
		},
	}
	options := datasets.DefaultRCS(stats)
	options.Temperature = 0.5
	rcs, err := datasets.NewRCS(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	for c, name := range stats.Classes {
		fmt.Printf("%s: %.3f of the pixels, drawn with %.3f from files %v\n", name, rcs.Frequency[c], rcs.Probability[c], rcs.Files[c])
	}
	// Output:
	// road: 0.971 of the pixels, drawn with 0.132 from files [0 1]
	// rider: 0.029 of the pixels, drawn with 0.868 from files [1]
}

func ExampleLabelMap_TrainID() {
	m, err := datasets.LoadLabelMap("cityscapes")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, raw := range []int{26, 3, 77} {
		id, known := m.TrainID(raw)
		fmt.Println(raw, id, known)
	}
	// Output:
	// 26 13 true
	// 3 255 true
	// 77 255 false
}
