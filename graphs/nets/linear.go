package nets

// linearHead is DINOv2's linear segmenter (its BNHead): a batch norm and a 1×1 convolution on the
// last level. Names are mmsegmentation's, as in the released heads.
type linearHead struct{}

func (linearHead) decode(n *Net, levels []*value) *value {
	last := levels[len(levels)-1]
	return n.batchNorm("decode_head.bn", last.Dim(1)).alone(last)
}

func (linearHead) classify(n *Net, features *value) *value {
	return n.classifier("decode_head.conv_seg", features)
}

// check: the head has no layer inside, so that head_width has no meaning, as with deeplabv2.
func (linearHead) check(a Arch) error {
	return a.checkDilations()
}
