#pragma once

#include "configs/region.h"
#include "data/frame.h"
#include "data/listing.h"
#include "data/spec.h"

namespace plateforge {

// SPECs of frames, kind:location?key=value&key=value@weight joined by +
//   ccpd:DIR    ?subset=db,blur or ?split=FILE, as for plates; the np subset shows no plates
//   coco:FILE   ?images=DIR&class=NAME&corners=repair|refuse
//   scenes:REGION   ?count=N&seed=S&backgrounds=DIR&plates=SPEC&empty=SHARE, made up: data/scenes.h
//   voc:DIR     ?class=NAME&missing=refuse|background&corners=repair|refuse
//   yolo:DIR    ?class=NUMBER&missing=refuse|background&corners=repair|refuse
// corners: what is done with corners in another order than left-top, right-top, right-bottom,
// left-bottom; missing: what a picture without annotation is.

// True when every part is of a kind that holds frames and nothing else (any but ccpd).
bool is_frame_spec(const std::string& spec);

// Opens a SPEC. Reads annotations, no pictures. Throws Error on an empty or missing folder, a
// malformed annotation, a picture without annotation and the reverse; with `violations` given these
// are listed there and the frames left out instead.
FrameMix open_frames(const std::string& spec, const Region& region, uint64_t seed,
                     std::vector<Violation>* violations = nullptr);

}  // namespace plateforge
