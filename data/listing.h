#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/plate.h"

namespace plateforge {

// How frames become plates (see DataConfig).
struct CropOptions {
  std::string crop = "rectify";  // rectify | extents | box
  double margin = 0.0;           // share of the size added on each side
};

// One thing wrong with one plate, in a sentence.
struct Violation {
  std::string kind;     // name, label, grammar, steps, unreadable, small, duplicate, leak
  std::string source;   // file or generator key
  std::string message;  // whole sentence, names the source
};

// Adds what was found to `violations`; without it throws Error with the first of them, if any, and
// says how the others are listed. `where` is kind:location.
void tell_or_refuse(const std::vector<Violation>& found, const std::string& where,
                    std::vector<Violation>* violations);

// A plate on disk that has not been read yet.
struct FileItem {
  std::string path;          // relative to the listing's root
  std::string text;          // label, unchecked
  std::optional<Quad> quad;  // nullopt = the whole picture
};

// What a folder or table promises: plates, and what could not be understood.
struct Listing {
  std::filesystem::path root;
  std::vector<FileItem> items;
  std::vector<Violation> violations;
  std::vector<std::string> unannotated = {};  // pictures without a plate (CCPD's np subset)
};

// Pictures directly in `folder`; label = stem up to the first '_'; sorted by name.
Listing list_crops(const std::filesystem::path& folder);

// A table with a header line (RFC 4180 quoting). Needs the columns image_path and plate_text; takes
// corners from lt_x,lt_y,rt_x,rt_y,rb_x,rb_y,lb_x,lb_y when all are there; ignores other columns.
// Paths are relative to the table's folder.
Listing list_csv(const std::filesystem::path& file);

// One line of such a table, quoted where needed, without line end.
std::string csv_line(const std::vector<std::string>& fields);

// Pictures in a folder and below it, as paths relative to it, sorted.
std::vector<std::string> list_pictures(const std::filesystem::path& folder);

// True for names that end like a picture we read (.jpg .jpeg .png .bmp .webp .tif .tiff).
bool is_picture_name(std::string_view name);

// Plates of a listing, decoded on read(): only the surroundings of the quad are kept, with a
// quarter of the plate's size on each side so that geometric augmentation has pixels. Quads are
// widened by `margin`, which a picture that is all plate has no pixels for. read() throws Error on
// a corner outside the picture and on a plate below 8 x 4 pixels.
PlateSourcePtr make_file_source(std::filesystem::path root, std::vector<FileItem> items,
                                double margin = 0);

}  // namespace plateforge
