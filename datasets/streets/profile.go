package streets

// span is a uniform distribution between two bounds.
type span [2]float32

// textures sets how detailed surfaces are.
type textures struct {
	grain, stain, joint float32 // fine texture, spots and dirt, joints of slabs
	leaf                float32 // cells of the leaf texture per metre
	leafContrast        float32
	wear                span // how far paint on the road has come off
}

// quarter is a kind of neighbourhood: the weights of its lots and more.
type quarter struct {
	lots      [numLots]float32
	height    span    // of buildings, metres
	modern    float32 // share of buildings with ribbon windows
	pitched   float32 // share with a pitched roof
	lanes     []int
	verge     float32 // chance of a grass strip
	trees     float32 // chance of a row of trees
	walk      span    // width of the pavement
	parking   float32 // chance of a parking lane
	transport float32 // chance of tram tracks
}

// profile is everything in which the domains differ within the world; optics
// and sensor follow in film.
type profile struct {
	focal       span // per picture width
	height      span // of the camera above the road
	pitch, roll float32
	quarters    []quarter
	mix         []float32 // weights of the quarters
	weather     []weather
	weathers    []float32
	texture     textures
	yellowLines float32 // chance that the middle line is yellow
	doubleLine  float32
	parked      float32 // share of a parking lane that is taken
	traffic     span    // vehicles per lane and 100 m
	vehicles    []float32
	cars        []float32 // weights of carShapes
	walkers     span      // pedestrians per 100 m and side
	bikesParked float32   // groups per side
	riders      float32   // expected bicycles on the road
	motorbikes  float32   // expected motorcycles
	signs100    float32   // traffic signs per 100 m
	lampStep    span
	coats       float32
	conifers    float32
	doubleDeck  float32

	asphalt, paving, grass, facades, roofs, walls, signs, guides []uint32
	leaves, carPaint, liveries, loads, trams, bikes              []uint32
	shirts, trousers                                             []uint32
}

// weather is a kind of light.
type weather struct {
	sun, sky        uint32 // colours
	direct, diffuse float32
	elevation       span // of the sun, radians
	zenith, rim     uint32
	cloud           uint32
	glow            float32 // brightness of the sky
	cover           span
	haze            span // per metre
}
