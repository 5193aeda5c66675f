//go:build ignore

// Extract writes the encoder of a checkpoint's student.safetensors as a file of
// its own. It made mit_nano.safetensors from preset streets-pretrain's run:
//
//	t2sda train -c streets-pretrain
//	go run graphs/weights/pretrained/extract.go \
//	  runs/streets-pretrain/checkpoints/iter_007000/student.safetensors graphs/weights/pretrained/mit_nano.safetensors
package main

import (
	"log"
	"os"
	"strings"

	"t2sda/graphs/weights"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: extract STUDENT.safetensors ENCODER.safetensors")
	}
	tensors, _, err := weights.Load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var encoder []weights.Tensor
	for _, t := range tensors {
		if strings.HasPrefix(t.Name, "backbone.") {
			encoder = append(encoder, t)
		}
	}
	origin := map[string]string{"origin": "encoder of t2sda train -c streets-pretrain, 7000 iterations on game images of world seed 1001"}
	if err := weights.Save(os.Args[2], encoder, origin); err != nil {
		log.Fatal(err)
	}
}
