#pragma once

#include <cstdint>

#include "configs/region.h"
#include "data/frame.h"
#include "data/open.h"

namespace plateforge {

// SPEC `scenes:REGION?count=N&seed=S&backgrounds=DIR&plates=SPEC&empty=0.15`: frames made up for
// training a detector, 480 to 1280 pixels high and wide.
//   REGION        a region pack's name or path; "any" = every shipped pack, and for a third of the
//                 plates colours, proportions and bands that none of them has
//   count         scenes per epoch, 10000
//   seed          0
//   backgrounds   folder of photographs, with all below it. They stand behind 60 % of the scenes.
//                 The plate of a frame that is named as CCPD's is covered with its surroundings, in
//                 some scenes with a new plate; other pictures are taken to show no plate, and
//                 labels beside them (.txt, .xml) are refused. Without it backgrounds are made up:
//                 streets, walls, textures, shapes, vehicles.
//   plates        crops:DIR, csv:FILE or ccpd:DIR (a plain folder means crops): half of the plates
//                 are these photographs instead of painted ones. A crop is taken to be all plate.
//   empty         share of scenes without any plate, 0 to 1
//
// A scene holds none to four plates, 20 pixels to 60 % of the picture wide, turned by up to 60
// (yaw), 35 (pitch) and 30 (roll) degrees before a pinhole camera, on vehicles, panels, holders or
// bare; by day and night, in rain, snow and fog, blurred, noisy and compressed; and things that are
// no plates: signs, writing, stickers, grilles, windows, road markings. Corners are the projection
// of the plate's rectangle, in the order of the plate's own frame however it is turned; box is
// their extents and may reach beyond the picture; ignore is set where less than 60 % of the plate
// can be seen or it is less than 5 pixels high.
//
// Deterministic per (seed, epoch, index); plates() and text are those of epoch 0. read() cuts what
// `choose` asks for from the finished picture and never reduces it. `region` is used for REGION of
// its name. Throws Error: unknown region, missing fonts, no pictures in a folder, a picture that
// cannot be read (when it is), a number out of range.
FrameSourcePtr make_scene_source(const SpecPart& part, const Region& region, uint64_t seed);

}  // namespace plateforge
