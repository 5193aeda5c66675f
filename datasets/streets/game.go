package streets

// gameProfile is the world of a game: mostly sunny, wide streets, clean
// textures, saturated paint.
func gameProfile() *profile {
	return &profile{
		focal: span{0.84, 1.02}, height: span{1.25, 1.9}, pitch: 0.03, roll: 0.012,
		quarters: []quarter{
			{
				lots:   [numLots]float32{houses: 7, yard: 0.4, park: 0.7, walled: 0.9, opening: 1.3},
				height: span{9, 32}, modern: 0.5, pitched: 0.05, lanes: []int{2, 4, 4},
				verge: 0.25, trees: 0.45, walk: span{3, 5.5}, parking: 0.6, transport: 0.3,
			},
			{
				lots:   [numLots]float32{houses: 1.2, yard: 5, park: 1.2, walled: 1.2, opening: 1},
				height: span{5, 10}, modern: 0.15, pitched: 0.7, lanes: []int{2, 2, 4},
				verge: 0.7, trees: 0.7, walk: span{2, 3.5}, parking: 0.5, transport: 0.1,
			},
			{
				lots:   [numLots]float32{houses: 1.5, yard: 1, park: 4, walled: 3, opening: 0.8},
				height: span{6, 18}, modern: 0.5, pitched: 0.2, lanes: []int{4, 4, 6},
				verge: 0.7, trees: 0.6, walk: span{2, 3.5}, parking: 0.15, transport: 0.2,
			},
		},
		mix: []float32{4, 3, 3},
		weather: []weather{
			{ // clear
				sun: 0xfff2d8, sky: 0xa9c6f0, direct: 1.05, diffuse: 0.42, elevation: span{0.55, 1.15},
				zenith: 0x3a78cc, rim: 0xb4d2ee, cloud: 0xffffff, glow: 1.0, cover: span{0.1, 0.45}, haze: span{0.0006, 0.0020},
			},
			{ // low sun
				sun: 0xffc98a, sky: 0x9fb0d8, direct: 1.05, diffuse: 0.36, elevation: span{0.22, 0.45},
				zenith: 0x5a80b8, rim: 0xf4cfa0, cloud: 0xffe2c0, glow: 0.9, cover: span{0.2, 0.55}, haze: span{0.0015, 0.004},
			},
			{ // overcast
				sun: 0xffffff, sky: 0xdfe6ee, direct: 0.0, diffuse: 0.95, elevation: span{0.8, 1.2},
				zenith: 0xa4b0bc, rim: 0xd2d8dc, cloud: 0xe6eaee, glow: 0.9, cover: span{0.5, 0.8}, haze: span{0.002, 0.005},
			},
		},
		weathers:    []float32{6, 1.6, 2.4},
		texture:     textures{grain: 0.45, stain: 0.5, joint: 0.8, leaf: 13, leafContrast: 1.15, wear: span{0, 0.35}},
		yellowLines: 0.75, doubleLine: 0.6, parked: 0.45, traffic: span{0.5, 2.2},
		vehicles: []float32{13, 1.1, 0.8}, cars: []float32{2, 3, 1, 2.4, 1.2, 2},
		walkers: span{0.5, 7}, bikesParked: 0.4, riders: 0.35, motorbikes: 0.3, signs100: 2.6,
		lampStep: span{22, 40}, coats: 0.1, conifers: 0.12, doubleDeck: 0.1,
		asphalt: []uint32{0x6f6d6c, 0x7b7876, 0x63646a}, paving: []uint32{0xb4aca0, 0xa8a29a, 0xbcb4a8},
		grass:   []uint32{0x6e8f38, 0x7f9a48, 0x98904e},
		facades: []uint32{0xd8c49c, 0xc89c78, 0xe4dccc, 0xb0705a, 0x9fb4c0, 0xd0a880, 0xa8a49c, 0xe0cfa8},
		roofs:   []uint32{0x9a5038, 0x6a5a50, 0x7a7068, 0xa86848}, walls: []uint32{0xb08468, 0xa86a50, 0xc4b49a},
		signs:    []uint32{0xd03028, 0x2868c8, 0xf0c030, 0x30a058, 0xf0f0f0, 0xe07820, 0x8030a0},
		guides:   []uint32{0x0e7a48, 0x0e7a48, 0x1c58b0},
		leaves:   []uint32{0x5f8a2c, 0x6f9838, 0x4c7a2c, 0x7c9a40},
		carPaint: []uint32{0xc02420, 0x2050b0, 0xf0f0f0, 0x202224, 0xa8acb0, 0xe0b020, 0x2c7a48, 0x7a2838, 0xd86a20, 0x5c6468, 0x88b0d0},
		liveries: []uint32{0xf0f0ec, 0x2060b8, 0xd02c24, 0xf0b820, 0x2c8a58}, loads: []uint32{0xf0f0f0, 0xd8d8d0, 0xc84030, 0x3868b0, 0xe8c048},
		trams: []uint32{0xe8e4dc, 0xd03028, 0xf0c030, 0x3878b8}, bikes: []uint32{0xc02020, 0x2050b0, 0x18191a, 0xe0a818, 0x208850, 0xd8d8d8},
		shirts:   []uint32{0xd03028, 0x3060b8, 0xf0f0f0, 0x282828, 0xe8b830, 0x38a060, 0xe090a0, 0x8c8c90},
		trousers: []uint32{0x2c4068, 0x405a88, 0x302c28, 0xa89878, 0x585858},
	}
}
