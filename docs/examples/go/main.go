// Go reads a model of t2sda export --dynamic --output labels (input uint8-nhwc) and counts the
// pixels of every class in a picture: go run ./docs/examples/go M.onnx picture.png
package main

import (
	"context"
	"fmt"
	"image"
	_ "image/png" // the pictures that are read
	"log"
	"os"

	"t2sda/graphs/engine"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(model, picture string) error {
	pix, w, h, err := read(picture)
	if err != nil {
		return err
	}
	e, err := engine.Open(engine.Options{})
	if err != nil {
		return err
	}
	defer e.Close() // with its sessions
	s, err := e.OpenModel(model)
	if err != nil {
		return err
	}
	in, err := engine.NewTensor(pix, 1, h, w, 3)
	if err != nil {
		return err
	}
	out, err := s.Run(context.Background(), map[string]*engine.Tensor{"image": in})
	if err != nil {
		return err
	}
	ids, err := engine.Data[uint8](out["labels"]) // [1,h,w]
	if err != nil {
		return err
	}
	var counts [256]int
	for _, id := range ids {
		counts[id]++
	}
	for id, n := range counts {
		if n > 0 {
			fmt.Println(id, n)
		}
	}
	return nil
}

// read returns a picture as packed RGB.
func read(path string) (pix []uint8, w, h int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, 0, err
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		return nil, 0, 0, err
	}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			pix = append(pix, uint8(r>>8), uint8(g>>8), uint8(b>>8))
		}
	}
	return pix, b.Dx(), b.Dy(), nil
}
