// Package predict runs segmentation models on images: files of this program by
// what they say about themselves ([Metadata]).
package predict
