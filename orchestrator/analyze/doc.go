// Package analyze looks into the feature space of a trained network: how alike
// the two domains are, class by class, beside how well each class is segmented
// (Figures 1, 7 and 8 and Table 17 of the T2S-DA paper).
//
// The measures' definitions and the kinds of features are those of package
// features, with one more:
//
//   - Pixel-wise discrimination distance within one domain: PDD_c = 1 −
//     (1/|S_c|) Σ_{x∈S_c} cos(x, μ_c) / Σ_{j≠c} cos(x, μ_j). Low: like the own
//     class and unlike the others.
//
// A class without positions in a domain has no numbers there: NaN, null in JSON.
//
// All measures take every labelled position of the images, in two passes over
// them: the first adds up means and the confusion matrix, the second holds each
// position against the means. Memory does not depend on the number of images.
// The pictures take a sample of each class's positions.
package analyze
