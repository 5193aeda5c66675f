// Package export turns a trained student into things that outlive the run: a
// deployable ONNX file, scores over a labelled split, label maps, pictures and
// a self-contained report.
//
// The pieces, in the order in which a run uses them:
//
//   - [Build] and [Write] make one ONNX file of the student, normalisation
//     inside and batch norm folded, that describes itself ([Metadata]).
//   - [Predictor] runs such a file on images of any size; [Verify] compares its
//     labels with those of a reference.
//   - [Evaluate] scores a file over a data set into a [Result]; the measures are
//     those of the official Cityscapes scripts ([Confusion]).
//   - [PredictFiles] writes label maps, colours or overlays of loose images.
//   - [Strip], [ConfusionPicture], [Curves], [Heat] and [IoUBars] draw, [WriteReport]
//     puts everything on one HTML page that needs no network.
package export
