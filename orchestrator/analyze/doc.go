// Package analyze looks into the feature space of a trained network: how alike
// the two domains are, class by class, beside how well each class is segmented
// (Figures 1, 7 and 8 and Table 17 of the T2S-DA paper).
//
// # Measures
//
// S_c are the feature vectors of a domain at positions labelled c, μ_c is their
// mean, and C counts the classes that the domain has.
//
//   - Cross-domain similarity of class c: cos(μ_c on source, μ_c on target).
//     High: the domains share the class's features.
//   - Class centre distance within one domain: CCD_c = (1/(C−1)) Σ_{j≠c}
//     mean_{x∈S_c} ‖x − μ_c‖² / ‖μ_c − μ_j‖². Low: tight and far from others.
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
//
// # Features
//
// Three kinds, see [Features]. By default those of the last layer before the
// classifier: what decides the label, trained by every method, and of one
// width for all of them. The projector's are what the pull acts on, but exist
// only where the pull was trained; the encoder's are what it starts from.
// Labels are brought to the features' grid as in training.
package analyze
