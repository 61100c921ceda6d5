#pragma once

#include <opencv2/core.hpp>

#include "data/rng.h"
#include "data/scenes/billboard.h"
#include "data/scenes/lettering.h"

namespace plateforge::scenes {

// Things that a detector may take for a plate and must not.
enum class BoardKind {
  sign,       // panel with lines of writing
  writing,    // letters or digits without a panel
  label,      // sticker: some words, a code of bars or squares
  blank,      // a panel in a plate's colours without characters
  grille,     // bars in a frame
  window,     // a dark pane with a bright frame
  road_sign,  // disc or triangle with a number
  ground,     // letters, arrows and bars painted on the road
};
constexpr int kBoardKinds = 8;

struct BoardDesign {
  BoardKind kind = BoardKind::sign;
  cv::Size2d size;  // its own unit, "millimetres" of its plane

  // Centred at the origin of its plane.
  cv::Rect2d place() const { return {-size.width / 2, -size.height / 2, size.width, size.height}; }
};

BoardDesign design_board(Rng& rng);

// The board about `pixels` wide.
Billboard paint_board(const BoardDesign& design, double pixels, const Lettering& lettering,
                      Rng& rng);

}  // namespace plateforge::scenes
