// Package tsne lays points of many dimensions out in the plane so that
// neighbours stay neighbours: exact t-SNE (van der Maaten and Hinton,
// "Visualizing Data using t-SNE", JMLR 9, 2008) for up to some thousand points,
// parallel over them.
//
// Vocabulary. The affinity p_ij of two points is high where one is among the
// other's nearest neighbours; a point's perplexity is the effective number of
// those, the same for all points. In the plane, w_ij = 1/(1 + ‖y_i − y_j‖²) and
// q_ij = w_ij/Z with Z = Σ_{k≠l} w_kl. The layout minimises the Kullback-Leibler
// divergence Σ p_ij log(p_ij/q_ij), in nats, by gradient descent with momentum
// and a gain per coordinate (Jacobs 1988).
//
// Distances between clusters, and clusters' sizes, mean little in a layout:
// only neighbourhoods are kept.
package tsne
