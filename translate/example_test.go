package translate_test

import (
	"fmt"

	"t2sda/internal/raster"
	"t2sda/translate"
)

// At b = 0 only the means travel: a dark source becomes as bright as the target.
func ExampleFDA() {
	source, target := raster.NewImage(8, 4), raster.NewImage(8, 4)
	for i := range source.Pix {
		source.Pix[i] = float32(40 + i%2)
		target.Pix[i] = 200
	}
	engine, err := translate.New(translate.DefaultOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := engine.Translate(nil, source, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Pix[:4])
	// Output: [199.5 200.5 199.5 200.5]
}
