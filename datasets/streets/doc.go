// Package streets draws road scenes from a seed: perspective pictures with
// pixel-exact labels of the 19 Cityscapes classes, in two domains.
//
// # The world
//
// A street is a cross-section (lanes, parking lanes, kerbs, grass strips,
// pavements, tram tracks) that a parabola bends sideways and up. Beside it lie
// lots: rows of houses, gardens behind fences, hedges or walls, parks, side
// streets. Street furniture, vehicles, riders and pedestrians are placed along
// it and modelled from boxes, hulls, tapered cylinders, balls and discs in
// metres. A pinhole camera whose focal length, height, pitch and roll vary a
// little looks along one of the lanes. Polygons are clipped, projected and
// filled span by span into a depth buffer with 2×2 samples per pixel; a pixel
// is the mean of its samples and has the label that most of them have.
//
// Labels follow the habits of Cityscapes: a fence and the wheel of a bicycle
// are labelled with the gaps that one sees through; trunks are vegetation;
// posts and arms of signs and lights are pole; vans are car; markings, rails
// and manhole covers are road; the kerb is sidewalk; the own bonnet, which only
// the camera domain shows, is void.
//
// # The gap between the domains
//
// [Game] is what a game engine shows, [Camera] what a camera on a car records.
// All models, materials and labels are shared code; what differs was chosen
// once, by what engines and cameras do, and was not adjusted to results of
// adaptation:
//
//   - Light. The game is mostly sunny with hard shadows, sometimes at a low sun
//     or overcast. The camera meets mostly overcast or veiled skies, which its
//     exposure for the street burns out to white.
//   - Tone. The game has a filmic curve with strong contrast, saturated colours
//     and deep shadows. The camera has a flatter curve with lifted blacks, muted
//     colours and a greenish, drifting white balance.
//   - Surfaces. The game's are clean: weak grain, little dirt, coarse leaves.
//     The camera's have grain, stains, mended asphalt, worn paint, fine leaves.
//   - Optics. The camera blurs a little (lens), smears away from the centre of
//     expansion (motion) and darkens the corners. The game sharpens instead.
//   - Sensor and file. The camera adds photon and read-out noise to the light
//     before the tone curve and stores colour at half resolution (4:2:0).
//   - Palettes. Paint, clothes, facades and liveries are bright in the game and
//     subdued before the camera.
//   - What there is. The game's roads are wider with yellow middle lines and
//     its field of view is larger; more towers, trucks and sports cars. The
//     camera sees narrower streets of attached houses with pitched roofs, more
//     parked cars, signs, pedestrians, bicycles and trams, and its own bonnet.
//
// The shapes of things, the geometry of the street and the order of the
// classes' frequencies are common to both, as between GTA5 and Cityscapes.
package streets
