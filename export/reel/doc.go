// Package reel puts frames through a model, one after the other: image files, sequences of
// them and videos in; pictures, arrays, annotations and videos out. What is under way at once
// is bounded, whatever the number of frames, and what is written does not depend on how many
// are, nor on how many share a run of the model.
package reel
