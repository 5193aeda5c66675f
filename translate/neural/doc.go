// Package neural translates images by a network given as an ONNX file: how
// style-transfer and CyCADA-like networks translate while training runs,
// without a folder of files.
//
// A model takes one RGB image [N,3,height,width] of float32 or uint8 and gives
// one of the same size. It may take a second image of the same kind, the
// reference, which is given the target image. Which of two inputs is the
// reference is said by its name, one of them holding "reference", "style" or
// "target"; otherwise it is the second.
//
// Images are never resized on their way through the network. Where a network's
// strides ask for it, an image is continued by reflection at its right and
// lower rim, by less than 64 pixels, and the result is cut back.
package neural

// The names of the translation engines that this package is: any model; and one that
// takes a reference image, which a run may have beside it.
const (
	Engine = "onnx"
	AdaIN  = "adain"
)
