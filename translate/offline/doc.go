// Package offline translates files: a picture, a folder of them or a data set,
// into PNG files that the engine folder reads back, with the same reading,
// resizing and drawing of targets as training has.
package offline
