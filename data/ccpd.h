#pragma once

#include <array>
#include <string>
#include <string_view>

#include "data/listing.h"

namespace plateforge {

// What a CCPD file name says (Xu et al., "Towards End-to-End License Plate Detection and
// Recognition", ECCV 2018; https://github.com/detectRecog/CCPD):
//   AREA-TILT-BOX-VERTICES-PLATE-BRIGHTNESS-BLUR.jpg
struct CcpdName {
  double area = 0;  // plate / image area; box or polygon depending on the subset: not reliable
  // As written. The subsets use three conventions (around 90_90, around 90_270, raw degrees), so
  // nothing here uses them: compute tilt from the vertices.
  int horizontal_tilt = 0, vertical_tilt = 0;
  cv::Rect box;      // exactly the vertices' extents in most subsets, a separate annotation in base
  Quad vertices{};   // file order kept: on tilted plates sorting would exchange corners
  std::string text;  // 7 (blue) or 8 (green) characters
  int brightness = 0;
  int blur = 0;  // sharpness score: small = blurred
};

// Parses the name without folder. Throws Error in one sentence: number of fields, text where a
// number belongs, index outside its table, box without area.
CcpdName parse_ccpd_name(std::string_view name);

// The plate's region in the frame; `crop` as in CropOptions.
Quad ccpd_quad(const CcpdName& name, const std::string& crop);

// All annotated frames under `root`, sorted by path. `split` names a text file with one relative
// path a line (official splits; looked up under `root` first); else folders are walked. `subset` is
// a comma-separated list of folder names, "db" meaning ccpd_db too. Pictures of the np subset are
// listed as unannotated; names that do not parse become violations. Reads no pictures and does not
// check that the files of a split exist: reading one that does not throws Error.
struct CcpdQuery {
  std::string split, subset;
  std::string crop = "rectify";
};
Listing list_ccpd(const std::filesystem::path& root, const CcpdQuery& query);

}  // namespace plateforge
