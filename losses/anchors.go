package losses

import (
	"fmt"

	"t2sda/graphs"
	"t2sda/internal/raster"
)

// PrototypeContrast returns Σ weights · −log( e^{f·a_label/τ} / Σ_c e^{f·a_c/τ} ) over the
// positions of a feature map, as a scalar (Xie et al., "SePiCo", TPAMI 2023, equation 4,
// the contrast with every class's prototype):
//
//	features  float32 [N,D,h,w], of unit length per position
//	anchors   float32 [C,D]
//	absent    float32 [C], 0, or a large negative number for classes without an anchor
//	labels    int64   [N,h,w], all in 0 … C−1
//	weights   float32 [N,h,w], denominators included
//
// The gradient goes to the features only. It panics with *graphs.Error on operands of other
// shapes.
func PrototypeContrast(features, anchors, absent, labels, weights *graphs.Value, tau float32) *graphs.Value {
	checkAnchors("PrototypeContrast", features, anchors, labels, weights)
	g := features.Graph()
	var logits *graphs.Value
	inFloat32(g, "prototypes", func() {
		kernel := g.Mul(anchors, g.Scalar(1/tau))
		logits = g.Conv(features, g.Reshape(kernel, anchors.Dim(0), anchors.Dim(1), 1, 1), absent, graphs.ConvAttrs{})
	})
	return CrossEntropy(logits, labels, weights)
}

// AnchorDistance returns Σ weights · ‖f − a_label‖² as a scalar, of operands as those of
// [PrototypeContrast] (the category anchors of Zhang et al., CAG-UDA, NeurIPS 2019).
func AnchorDistance(features, anchors, labels, weights *graphs.Value) *graphs.Value {
	checkAnchors("AnchorDistance", features, anchors, labels, weights)
	g, n := features.Graph(), labels.Dim(0)
	var loss *graphs.Value
	inFloat32(g, "anchors", func() {
		c, p := anchors.Dim(0), labels.Dim(1)*labels.Dim(2)
		square := squaredDistances(features, anchors)
		each := g.GatherElements(g.Reshape(square, n, c, p), g.Reshape(labels, n, 1, p), 1)
		loss = g.ReduceSum(g.Mul(each, g.Reshape(weights, n, 1, p)), []int{0, 1, 2}, false)
	})
	return loss
}

func checkAnchors(op string, features, anchors, labels, weights *graphs.Value) {
	f, a, l, w := features.Shape(), anchors.Shape(), labels.Shape(), weights.Shape()
	ok := len(f) == 4 && len(a) == 2 && a[1] == f[1] && l.Equal(graphs.Shape{f[0], f[2], f[3]}) && l.Equal(w)
	if !ok || labels.DType() != graphs.Int64 {
		panic(&graphs.Error{
			Op: op, Node: features.Name(), Shapes: []graphs.Shape{f, a, l, w},
			Message: "want features [N,D,h,w], anchors [C,D], labels int64 [N,h,w], weights [N,h,w]",
		})
	}
}

// ClassSums returns Σ of the features [N,D,h,w] at positions of each class, [C,D], for labels
// int64 [N,h,w]; void is of none. It adds row by row of the grid and then over rows and
// images, so that few numbers are added one after the other.
func ClassSums(features, labels *graphs.Value, classes int) *graphs.Value {
	g := features.Graph()
	var sums *graphs.Value
	inFloat32(g, "class_sums", func() {
		rows := g.Transpose(features, 0, 2, 1, 3)                // [N,h,D,w]
		byClass := g.MatMul(rows, g.OneHot(labels, classes, -1)) // [N,h,D,C]
		sums = g.Transpose(g.ReduceSum(byClass, []int{0, 1}, false), 1, 0)
	})
	return sums
}

// FollowMeans moves each class's anchor, a row of anchors [C,D], towards the mean of a batch's
// features, sums [C,D] over counts [C]: momentum·a + (1 − momentum)·mean. A class that is not
// there keeps its anchor, and one whose anchor is 0 takes the mean as it is.
func FollowMeans(anchors, sums []float32, counts []int, momentum float64) error {
	if len(anchors) != len(sums) || len(counts) == 0 || len(sums)%len(counts) != 0 {
		return fmt.Errorf("losses: anchors: %d values, %d sums, %d counts", len(anchors), len(sums), len(counts))
	}
	width := len(sums) / len(counts)
	for c, count := range counts {
		if count == 0 {
			continue
		}
		row, keep := anchors[c*width:(c+1)*width], momentum
		if !HasAnchor(row) {
			keep = 0
		}
		for i, sum := range sums[c*width : (c+1)*width] {
			row[i] = float32(keep*float64(row[i]) + (1-keep)*float64(sum)/float64(count))
		}
	}
	return nil
}

// HasAnchor reports whether a row of anchors is not 0.
func HasAnchor(row []float32) bool {
	for _, v := range row {
		if v != 0 {
			return true
		}
	}
	return false
}

// EncodeAnchored fills ids and weights, [N,h,w], for labels of which those that are void, or
// of a class that usable [C] does not hold, have none: the mean over of (0: the others, whose
// number it returns).
func EncodeAnchored(ids []uint8, weights []float32, labels []uint8, usable []bool, of int) (int, error) {
	if len(ids) != len(labels) || len(weights) != len(labels) {
		return 0, fmt.Errorf("losses: anchors: %d ids and %d weights for %d labels", len(ids), len(weights), len(labels))
	}
	n := 0
	for i, label := range labels {
		ids[i] = 0
		if label == raster.Void {
			continue
		}
		if int(label) >= len(usable) {
			return 0, fmt.Errorf("losses: anchors: %w", labelError(label, len(usable)))
		}
		if usable[label] {
			ids[i], n = label, n+1
		}
	}
	if of == 0 {
		of = n
	}
	for i, label := range labels {
		weights[i] = 0
		if label != raster.Void && usable[label] {
			weights[i] = float32(1 / float64(of))
		}
	}
	return n, nil
}
