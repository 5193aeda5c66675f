package imagefile

import "image"

// vp8Rows returns the rows of a lossy WebP picture as libwebp makes them of luma and
// chroma (dec/upsampling.c, dsp/yuv.h): chroma of half the size is linear between the
// four nearest samples, 9, 3, 3 and 1 parts, and levels run from 16 to 235 as in
// video, which the standard library takes for 0 to 255. It returns nil for others.
func vp8Rows(img image.Image) func(y int) ([]byte, error) {
	var p *image.YCbCr
	switch v := img.(type) {
	case *image.YCbCr:
		p = v
	case *image.NYCbCrA:
		p = &v.YCbCr
	default:
		return nil
	}
	w, h := p.Rect.Dx(), p.Rect.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	row, cb, cr := make([]byte, 3*w), make([]byte, 2*cw), make([]byte, 2*cw)
	return func(y int) ([]byte, error) {
		near := y / 2
		far := min(max(y/2-1+2*(y&1), 0), ch-1)
		vp8Chroma(cb, p.Cb[near*p.CStride:][:cw], p.Cb[far*p.CStride:][:cw])
		vp8Chroma(cr, p.Cr[near*p.CStride:][:cw], p.Cr[far*p.CStride:][:cw])
		vp8RGB(row, p.Y[y*p.YStride:][:w], cb, cr)
		return row, nil
	}
}

// vp8Chroma interpolates between columns, and between the row that a pixel lies in
// and the one that it is nearer to than others.
func vp8Chroma(dst, near, far []byte) {
	last := len(near) - 1
	dst[0] = byte((3*int(near[0]) + int(far[0]) + 2) >> 2)
	dst[2*last+1] = byte((3*int(near[last]) + int(far[last]) + 2) >> 2)
	for x := range last {
		a, b, c, d := int(near[x]), int(near[x+1]), int(far[x]), int(far[x+1])
		sum := a + b + c + d + 8
		dst[2*x+1] = byte(((sum+2*(b+c))>>3 + a) >> 1)
		dst[2*x+2] = byte(((sum+2*(a+d))>>3 + b) >> 1)
	}
}

func vp8RGB(dst, lum, cb, cr []byte) {
	for x, v := range lum {
		y, u, v := int32(v)*19077>>8, int32(cb[x]), int32(cr[x])
		p := dst[3*x : 3*x+3 : 3*x+3]
		p[0] = vp8Clip(y + v*26149>>8 - 14234)
		p[1] = vp8Clip(y - u*6419>>8 - v*13320>>8 + 8708)
		p[2] = vp8Clip(y + u*33050>>8 - 17685)
	}
}

// vp8Clip takes away 6 fractional bits.
func vp8Clip(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }
