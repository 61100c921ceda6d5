#include "export/fingerprint.h"

#include <cstdint>
#include <iomanip>
#include <sstream>

#include "export/onnx_writer.h"

namespace plateforge {

std::string fingerprint(const OnnxModel& model) {
  auto content = model;
  content.metadata.clear();
  content.doc_string = content.producer_name = content.producer_version = content.graph_name = "";
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : encode_onnx(content))
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << hash;
  return text.str();
}

}  // namespace plateforge
