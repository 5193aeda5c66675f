// Package quantize makes smaller and faster models of finished float32 ones, bytes in, bytes out:
// float16 ([Float16]) and int8 ([Int8]). What depends on constants only has been computed before, as
// export.Finish does it.
//
// int8 is static quantisation in the QDQ form that ONNX Runtime, TensorRT and OpenVINO read: pairs
// of QuantizeLinear and DequantizeLinear around convolutions and matrix products and what sits
// between them. Ranges of activations come from a calibration on samples ([Method]), weights are
// symmetric with one scale per output channel, biases are int32 at the product of both scales
// (Jacob et al. 2018, eq. 5–11; ONNX Runtime's quantize_static).
package quantize
