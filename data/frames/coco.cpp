#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/frames/annotations.h"
#include "data/frames/corners.h"

namespace plateforge {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

Json parse(const fs::path& file) {
  try {
    return Json::parse(read_file(file));
  } catch (const Json::exception& problem) {
    fail(file.string(), " is no JSON: ", problem.what());
  }
}

// A list of the file's top level.
const Json& list_of(const Json& root, const char* key, const fs::path& file) {
  require(root.is_object() && root.contains(key) && root[key].is_array(), file.string(),
          ": expected COCO JSON with a list '", key, "'");
  return root[key];
}

// Runs `read` and tells what JSON was not as expected as an Error.
template <class Read>
auto told(const Read& read) {
  try {
    return read();
  } catch (const Json::exception& problem) {
    fail(problem.what());
  }
}

bool flag(const Json& annotation, const char* key) {
  const auto value = annotation.value(key, Json(0));
  return value.is_boolean() ? value.get<bool>() : value.get<int64_t>() != 0;
}

FramePlate parse_plate(const Json& annotation) {
  FramePlate plate;
  plate.ignore = flag(annotation, "iscrowd") || flag(annotation, "ignore");
  const auto points = annotation.value("keypoints", std::vector<float>());
  require(points.empty() || points.size() == 12,
          "expected keypoints of four corners x, y, v, came ", points.size(), " numbers");
  const bool labelled =
      !points.empty() && points[2] > 0 && points[5] > 0 && points[8] > 0 && points[11] > 0;
  if (labelled) {
    Quad corners;
    for (size_t i = 0; i < 4; ++i) corners[i] = {points[3 * i], points[3 * i + 1]};
    plate.corners = corners;
    plate.box = extents(corners);
    return plate;
  }
  const auto box = annotation.at("bbox").get<std::vector<float>>();
  require(box.size() == 4, "expected a bbox of x, y, width, height, came ", box.size(), " numbers");
  plate.box = {box[0], box[1], box[2], box[3]};
  return plate;
}

// Category ids that stand for plates; empty = all do.
std::vector<int64_t> plate_categories(const Json& root, const FrameQuery& query,
                                      const fs::path& file) {
  std::vector<int64_t> ids;
  if (query.plate_class.empty()) return ids;
  std::string known;
  for (const auto& category : list_of(root, "categories", file)) {
    const auto name = category.value("name", "");
    known += (known.empty() ? "" : ", ") + name;
    if (name == query.plate_class) ids.push_back(category.at("id").get<int64_t>());
  }
  require(!ids.empty(), file.string(), ": no category '", query.plate_class, "', known: ", known);
  return ids;
}

}  // namespace

FrameListing list_coco(const fs::path& file, const FrameQuery& query) {
  const Json root = parse(file);
  const auto folder = query.pictures.empty() ? file.parent_path() : query.pictures;
  FrameLister lister(folder, query);
  const auto where = [&](const std::string& what, const Json& id) {
    return file.string() + " " + what + " " + id.dump();
  };
  const auto plates = told([&] { return plate_categories(root, query, file); });

  std::vector<FrameItem> items;
  std::map<int64_t, size_t> item_of;  // image id -> place in `items`
  std::vector<bool> good;
  for (const auto& image : list_of(root, "images", file)) {
    lister.guard("picture", where("image", image.value("id", Json())), [&] {
      told([&] {
        FrameItem item{image.at("file_name").get<std::string>(), {}, {}};
        item.size = {image.value("width", 0), image.value("height", 0)};
        require(fs::exists(folder / item.path), "no picture ", (folder / item.path).string());
        item_of[image.at("id").get<int64_t>()] = items.size();
        items.push_back(std::move(item));
        good.push_back(true);
      });
    });
  }
  for (const auto& annotation : list_of(root, "annotations", file)) {
    size_t at = items.size();
    const bool fine =
        lister.guard("annotation", where("annotation", annotation.value("id", Json())), [&] {
          told([&] {
            const auto image = annotation.at("image_id").get<int64_t>();
            require(item_of.contains(image), "there is no image ", image);
            at = item_of.at(image);
            const auto category = annotation.value("category_id", int64_t{0});
            if (!plates.empty() &&
                std::find(plates.begin(), plates.end(), category) == plates.end())
              return;
            items[at].plates.push_back(lister.checked(parse_plate(annotation), items[at].size));
          });
        });
    if (!fine && at < items.size()) good[at] = false;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    if (good[i]) lister.listing().items.push_back(std::move(items[i]));
  }
  return std::move(lister.listing());
}

}  // namespace plateforge
