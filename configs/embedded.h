#pragma once

#include <map>
#include <string>
#include <string_view>

namespace plateforge {

// A file that is part of the program, by its name without folders (CMakeLists.txt lists them);
// empty where the build did not find it. Throws std::logic_error for a name that is not listed.
std::string_view embedded_file(std::string_view name);

// The text with @KEY@ replaced for every key.
using Words = std::map<std::string, std::string>;
std::string filled(std::string_view text, const Words& words);

}  // namespace plateforge
