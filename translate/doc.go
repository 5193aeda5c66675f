// Package translate turns source images into the appearance of the target
// domain and mixes and augments images for self-training.
//
// The engines are [FDA] (Fourier domain adaptation by thin products),
// [Camera], [Weather], [Cartoon], [ColorJitter], [GaussianBlur], [Folder] (images
// translated elsewhere) and [None]; [New] builds one from [Options], [NewMix] draws
// one of several for each image, [NewStyled] shows one pictures in place of the
// target's. [ClassMix] pastes classes of a
// source image over a target image, [StrongAugment] distorts the result.
//
// Pixels are planar float32 RGB of 0–255. No function modifies its input
// images, except where "in place" is said. Every random draw comes from the
// generator that the caller hands in, so equal generators give equal results,
// whatever the number of workers.
package translate
