// Package picture draws what a run and an evaluation have to show: strips of
// images and label maps, confusion matrices, curves, heat maps, measures
// per class and feature spaces.
package picture
