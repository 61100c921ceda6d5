#include <boost/property_tree/xml_parser.hpp>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/frames/annotations.h"
#include "data/frames/corners.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

using Tree = boost::property_tree::ptree;

Tree parse(const fs::path& file) {
  std::istringstream bytes(read_file(file));
  Tree tree;
  try {
    boost::property_tree::read_xml(bytes, tree);
  } catch (const boost::property_tree::xml_parser_error& problem) {
    fail("no XML: ", problem.message(), " (line ", problem.line(), ")");
  }
  const auto annotation = tree.get_child_optional("annotation");
  require(annotation.has_value(), "expected an <annotation> element");
  return *annotation;
}

float number(const Tree& tree, const std::string& tag) {
  const auto text = tree.get_optional<std::string>(tag);
  require(text.has_value(), "there is no <", tag, ">");
  const auto words = split_words(*text);
  require(words.size() == 1, "<", tag, ">: expected a number, came '", *text, "'");
  return parse_number(words[0]);
}

FramePlate parse_plate(const Tree& object) {
  FramePlate plate;
  plate.ignore = object.get("difficult", 0) != 0;
  if (const auto polygon = object.get_child_optional("polygon")) {
    require(polygon->size() == 8, "expected a polygon of four corners x1 y1 ... x4 y4, came ",
            polygon->size(), " numbers");
    Quad corners;
    for (size_t i = 0; i < 4; ++i) {
      const auto name = std::to_string(i + 1);
      corners[i] = {number(*polygon, "x" + name), number(*polygon, "y" + name)};
    }
    plate.corners = corners;
    plate.box = extents(corners);
    return plate;
  }
  const auto box = object.get_child_optional("bndbox");
  require(box.has_value(), "there is no <bndbox>");
  // The first pixel is 1 and the last one belongs to the box.
  const float left = number(*box, "xmin") - 1, top = number(*box, "ymin") - 1;
  plate.box = {left, top, number(*box, "xmax") - left, number(*box, "ymax") - top};
  return plate;
}

std::optional<FrameItem> read_objects(const fs::path& file, const FrameQuery& query,
                                      FrameLister& lister) {
  const Tree annotation = parse(file);
  FrameItem item;
  item.size = {annotation.get("size.width", 0), annotation.get("size.height", 0)};
  bool good = true;
  int64_t ordinal = 0;
  for (const auto& [tag, object] : annotation) {
    if (tag != "object") continue;
    ++ordinal;
    if (!query.plate_class.empty() && object.get("name", "") != query.plate_class) continue;
    good &= lister.guard("annotation", file.string() + " object " + std::to_string(ordinal), [&] {
      item.plates.push_back(lister.checked(parse_plate(object), item.size));
    });
  }
  return good ? std::optional(item) : std::nullopt;
}

}  // namespace

FrameListing list_voc(const fs::path& root, const FrameQuery& query) {
  require(fs::is_directory(root), "voc:", root.string(), ": no such folder");
  FrameLister lister(root, query);
  const auto pictures = folder_or_root(root, "JPEGImages");
  const auto annotations = fs::is_directory(root / "Annotations") ? root / "Annotations" : pictures;
  lister.pair(pictures, annotations, ".xml",
              [&](const fs::path& file) { return read_objects(file, query, lister); });
  return std::move(lister.listing());
}

}  // namespace plateforge
