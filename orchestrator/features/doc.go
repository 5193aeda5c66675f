// Package features takes a network's features on labelled images, class by
// class, and says how alike two domains look to it. It knows networks and data
// sets, but no runs: a run's report and the analysis of a run both build on it.
//
// # Measures
//
// S_c are the feature vectors of a domain at positions labelled c, μ_c is their
// mean, and C counts the classes that the domain has.
//
//   - Cross-domain similarity of class c: cos(μ_c on source, μ_c on target).
//     High: the domains share the class's features (Figure 1 of the T2S-DA
//     paper).
//   - Class centre distance within one domain: CCD_c = (1/(C−1)) Σ_{j≠c}
//     mean_{x∈S_c} ‖x − μ_c‖² / ‖μ_c − μ_j‖². Low: tight and far from others.
//
// A class without positions in a domain has no numbers there: NaN.
//
// # Features
//
// Three kinds, see [Kinds]. Those of the head are the last layer's before the
// classifier: what decides the label, trained by every method, and of one width
// for all of them. The projector's are what the pull acts on, but exist only
// where the pull was trained; the encoder's are what it starts from. Labels are
// brought to the features' grid as in training.
package features
