// Package losses holds the terms of T2S-DA's objective
//
//	L = L_S + L_T + λ · L_pull
//
// (Wang et al., "Pulling Target to Source: A New Perspective on Domain Adaptive
// Semantic Segmentation") in two halves: what needs a gradient is built as a
// graph ([CrossEntropy], [FeatureDistance], [InfoNCE], [MSE]), and what needs
// none, the draws and the weights, is plain Go over flat slices.
//
// # Shapes and conventions
//
//   - Maps are flat and row-major: labels and confidences [N,H,W], features
//     planar [N,D,h,w] as the networks return them.
//   - A flat position of a feature map is (n·h + y)·w + x: n counts images.
//   - Labels are train ids 0 … C−1 and [raster.Void]. Any other id is an error.
//   - Weights carry the denominators: every graph term is a plain weighted sum,
//     so a batch with nothing to learn from (all void) gives exactly 0.
//
// # Cross-entropy
//
// [Encode] prepares L_S (equation: mean over pixels of −log p of the label) and
// [Mix.Encode] L_T, whose target pixels weigh q ([Quality]); both fill the
// labels and weights that [CrossEntropy] reads.
//
// # Feature distance
//
// [FeatureDistance] keeps the encoder's features of things near those of a frozen
// encoder; [Things.Weigh] says where (DAFormer).
//
// # The pull
//
// [NewPull] fixes sizes and allocates what is bound to the session, [Pull.Loss]
// builds the term, [Pull.Plan] draws one iteration's queries and keys. Three
// maps of features take part, and which images they belong to is the caller's
// choice (the paper's Table 7):
//
//	direction (query → key)       query labels and features       Keys           Source      Target
//	pseudo-target → source        source labels, student on x_p   teacher(x_s)   as Keys     teacher(x_t)
//	source → source               source labels, student on x_s   teacher(x_s)   as Keys     teacher(x_t)
//	source → target               source labels, student on x_s   teacher(x_t)   teacher(x_s) teacher(x_t)
//	source → pseudo-target        source labels, student on x_s   teacher(x_p)   as Keys     teacher(x_t)
//	target → source               pseudo-labels, student on x_t   teacher(x_s)   as Keys     teacher(x_t)
//
// Keys gives the positives (one prototype per class), Source and Target give
// the negatives. In domain generalisation Target is nil: all negatives come
// from Source.
package losses
