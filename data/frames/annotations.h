#pragma once

#include <functional>

#include "data/frames/listing.h"

namespace plateforge {

// Numbers and words of a text, separated by blanks.
std::vector<std::string_view> split_words(std::string_view text);

// The number that `text` is. Throws Error saying what came.
float parse_number(std::string_view text);

// Fills a listing: what the formats have in common.
class FrameLister {
 public:
  FrameLister(std::filesystem::path root, const FrameQuery& query);

  FrameListing& listing() { return listing_; }

  // Checks a plate and puts its corners in order as the query says. `size`: of the picture, empty
  // when not known yet. Throws Error in half a sentence.
  FramePlate checked(FramePlate plate, const cv::Size2f& size);

  // Runs `action`; when it throws, adds "where: reason" as a violation and returns false.
  bool guard(const char* kind, const std::string& where, const std::function<void()>& action);

  // Pairs the pictures below one folder with the annotations (files ending in `extension`) below
  // another, by relative path. Pictures without annotation and the reverse are violations, unless
  // the query takes the former for background. `read` makes the item of a pair; frames for which it
  // throws or returns nothing are left out.
  using ReadItem = std::function<std::optional<FrameItem>(const std::filesystem::path& annotation)>;
  void pair(const std::filesystem::path& pictures, const std::filesystem::path& annotations,
            const std::string& extension, const ReadItem& read);

 private:
  FrameListing listing_;
  const FrameQuery& query_;
};

// root / folder when it is there, else root.
std::filesystem::path folder_or_root(const std::filesystem::path& root, const char* folder);

}  // namespace plateforge
