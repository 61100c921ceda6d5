#pragma once

#include <string>
#include <vector>

namespace plateforge {

// The known name closest to `word` in edit distance; empty when none is near enough to be a typo.
std::string nearest_name(const std::string& word, const std::vector<std::string>& known);

// "known: a, b, c" for the end of an error, with "did you mean 'b'? " in front when one is near.
std::string known_names(const std::string& word, const std::vector<std::string>& known);

// Position of `name` in `known`; Error "unknown WHAT 'NAME'; known: ..." when it is not there.
size_t find_name(const std::string& what, const std::string& name,
                 const std::vector<std::string>& known);

// "a, b, c"
std::string join(const std::vector<std::string>& words, const std::string& separator = ", ");

}  // namespace plateforge
