package streets

// cameraProfile is what a measuring car meets: often overcast, narrower and
// fuller streets, dirt and wear, muted paint.
func cameraProfile() *profile {
	return &profile{
		focal: span{0.94, 1.1}, height: span{1.2, 1.5}, pitch: 0.02, roll: 0.01,
		quarters: []quarter{
			{
				lots:   [numLots]float32{houses: 8, yard: 0.4, park: 0.7, walled: 0.5, opening: 1.3},
				height: span{10, 21}, modern: 0.22, pitched: 0.5, lanes: []int{2, 2, 3, 4},
				verge: 0.2, trees: 0.55, walk: span{3.2, 5.5}, parking: 0.65, transport: 0.3,
			},
			{
				lots:   [numLots]float32{houses: 1.6, yard: 5, park: 1.2, walled: 0.9, opening: 1},
				height: span{6, 11}, modern: 0.05, pitched: 0.9, lanes: []int{2, 2},
				verge: 0.4, trees: 0.65, walk: span{2.2, 3.8}, parking: 0.65, transport: 0.1,
			},
			{
				lots:   [numLots]float32{houses: 2.2, yard: 1.2, park: 4, walled: 1.8, opening: 0.8},
				height: span{8, 18}, modern: 0.35, pitched: 0.4, lanes: []int{2, 4, 4},
				verge: 0.65, trees: 0.8, walk: span{2.4, 4.2}, parking: 0.3, transport: 0.3,
			},
		},
		mix: []float32{5, 3, 2.5},
		weather: []weather{
			{ // overcast
				sun: 0xffffff, sky: 0xe2e6e8, direct: 0, diffuse: 0.85, elevation: span{0.8, 1.2},
				zenith: 0xd8dcde, rim: 0xeef0f0, cloud: 0xf8f8f8, glow: 1.5, cover: span{0.4, 0.7}, haze: span{0.0006, 0.0022},
			},
			{ // veiled sun
				sun: 0xfff4e4, sky: 0xd4dfea, direct: 0.5, diffuse: 0.62, elevation: span{0.4, 0.9},
				zenith: 0xa8c0d8, rim: 0xe8ecee, cloud: 0xffffff, glow: 1.3, cover: span{0.35, 0.65}, haze: span{0.0006, 0.0018},
			},
			{ // sun
				sun: 0xfff0d8, sky: 0xb8cce8, direct: 0.95, diffuse: 0.4, elevation: span{0.35, 0.85},
				zenith: 0x7ca4d4, rim: 0xdce6ee, cloud: 0xffffff, glow: 1.15, cover: span{0.1, 0.45}, haze: span{0.0004, 0.0012},
			},
		},
		weathers:    []float32{5.5, 2.5, 2},
		texture:     textures{grain: 1, stain: 1, joint: 1, leaf: 20, leafContrast: 1.1, wear: span{0.1, 0.8}},
		yellowLines: 0, doubleLine: 0.15, parked: 0.7, traffic: span{0.4, 2.4},
		vehicles: []float32{13, 0.6, 0.8}, cars: []float32{3, 1.5, 3, 1, 1.8, 0.5},
		walkers: span{1, 9}, bikesParked: 1, riders: 0.6, motorbikes: 0.26, signs100: 3.5,
		lampStep: span{20, 34}, coats: 0.35, conifers: 0.1, doubleDeck: 0.02,
		asphalt: []uint32{0x626466, 0x6c6c6a, 0x585a5c}, paving: []uint32{0x96928c, 0x8c8a88, 0xa09a92, 0x94867c},
		grass:   []uint32{0x5a7038, 0x687a40, 0x747044},
		facades: []uint32{0xc8bca4, 0xb8a88c, 0xd4ccbc, 0x96604c, 0xa49c90, 0xc0b498, 0x8c8880, 0xccb890},
		roofs:   []uint32{0x7c4434, 0x54484a, 0x605850, 0x8a5440}, walls: []uint32{0x8c6c58, 0x84584a, 0x9a9080},
		signs:    []uint32{0xa82c28, 0x2c5898, 0xc8a838, 0x3c7c54, 0xd8d8d4, 0x484848},
		guides:   []uint32{0xe8c020, 0x1c4c98, 0xe8e8e4},
		leaves:   []uint32{0x587638, 0x64803e, 0x4c6a38, 0x748040},
		carPaint: []uint32{0x18191c, 0x2a2c30, 0x8c9094, 0xb4b8ba, 0xd8dadc, 0x20304c, 0x5c6064, 0x6c1c20, 0x3c4c44, 0x988c78},
		liveries: []uint32{0xd8d8d4, 0xc89c20, 0x24508c, 0xa82824, 0x3c7858}, loads: []uint32{0xd8d8d8, 0xc0c0bc, 0x9c3830, 0x385888, 0xb8ac90},
		trams: []uint32{0xd0ccc0, 0xb82c24, 0xd8ac28, 0x3c6890}, bikes: []uint32{0x18191a, 0x2c2e30, 0x801c1c, 0x203868, 0x9c9c9c, 0x345844},
		shirts:   []uint32{0x202226, 0x2c3448, 0x4c4a48, 0x8c3030, 0xc8c4bc, 0x3c4c40, 0x6c6458, 0x7c8088},
		trousers: []uint32{0x1c2434, 0x2c3850, 0x202020, 0x585048, 0x404448},
	}
}
