// Package imagefile is the one place that knows which files are images and how
// they are read: by every command, for training, evaluation, prediction and
// translation alike.
//
// It reads JPEG, PNG, TIFF (the first page), BMP, GIF (the first frame) and WebP,
// told apart by what they hold, not by their names. Pictures come as people see
// them: the orientation that cameras write into EXIF is applied, the chroma of
// JPEG is interpolated as libjpeg does, that of WebP as libwebp does. What it
// cannot read it names, with what to do about it.
package imagefile
