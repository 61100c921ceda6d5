#pragma once

#include <map>
#include <string>
#include <string_view>

namespace plateforge {

// The members of a zip archive whose files are stored, not compressed, as PyTorch writes them;
// zip64 included. The views point into `bytes`. Offsets, sizes and checksums are verified;
// compressed, encrypted or damaged archives throw Error naming `origin` and the member.
std::map<std::string, std::string_view> read_stored_zip(std::string_view bytes,
                                                        const std::string& origin);

}  // namespace plateforge
