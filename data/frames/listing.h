#pragma once

#include <filesystem>

#include "data/ccpd.h"
#include "data/frame.h"
#include "data/listing.h"

namespace plateforge {

// A photograph on disk that has not been read yet.
struct FrameItem {
  std::string path;                // relative to the listing's root
  std::vector<FramePlate> plates;  // pixels, or shares of the picture's sides; empty = background
  cv::Size size;                   // as the annotation tells it; empty = it does not
};

// What a folder or table of frames promises, and what could not be understood. A frame of which one
// annotation is wrong is left out whole: its plate must not count as background.
struct FrameListing {
  std::filesystem::path root;
  bool shares = false;  // coordinates are shares of the picture's sides (YOLO)
  bool upright = true;  // they count the picture as its EXIF orientation turns it (not CCPD's)
  std::vector<FrameItem> items;
  std::vector<Violation> violations;  // kinds: annotation, picture
  int64_t repaired = 0;               // plates whose corners were put in order
};

// Options of annotation formats; those that a format does not know are not looked at.
struct FrameQuery {
  bool repair = true;              // put corners in order (see in_order), else refuse such frames
  bool missing_is_empty = false;   // a picture without annotation shows no plate, else a violation
  std::string plate_class;         // only objects of this class are plates; empty = all are
  std::filesystem::path pictures;  // COCO: folder of the pictures; empty = the file's own
};

// CCPD: plates from file names; corners are the vertices in file order, which is trusted; the box
// is their extents. Pictures of the np subset show no plate.
FrameListing list_ccpd_frames(const std::filesystem::path& root, const CcpdQuery& query);

// YOLO: DIR/images with DIR/labels, or pictures with the .txt beside them; folders below are
// walked. One plate a line, everything in shares of the picture's sides: class x_c y_c w h; for
// YOLO-pose followed by four corners x y, or x y v (v = 0: not labelled; then only the box counts).
FrameListing list_yolo(const std::filesystem::path& root, const FrameQuery& query);

// COCO JSON: `images` (file_name relative to the pictures' folder) and `annotations` with bbox in
// pixels, or `keypoints` of four corners x y v. iscrowd and ignore make regions to ignore.
FrameListing list_coco(const std::filesystem::path& file, const FrameQuery& query);

// Pascal VOC: DIR/Annotations with DIR/JPEGImages, or pictures with the .xml beside them, paired by
// name. Objects with bndbox (pixels from 1, last one included), or `polygon` with x1 y1 ... x4 y4.
// `difficult` makes regions to ignore.
FrameListing list_voc(const std::filesystem::path& root, const FrameQuery& query);

// Frames of a listing, decoded on read(): Error when the picture is missing or damaged, has not the
// size that the annotation tells, or when a plate lies outside it. Tells once how many plates had
// their corners put in order; `where` is the kind:location for that.
FrameSourcePtr make_frame_file_source(FrameListing listing, const std::string& where);

}  // namespace plateforge
