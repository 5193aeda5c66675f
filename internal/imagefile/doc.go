// Package imagefile is the one place that knows which files are images and how
// they are read.
package imagefile
