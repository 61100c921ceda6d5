#include "data/jpeg.h"

#include <csetjmp>
#include <cstdio>

// jpeglib.h needs FILE and size_t declared before it.
#include <jerror.h>
#include <jpeglib.h>

#include "configs/error.h"

namespace plateforge {
namespace {

// libjpeg reports fatal errors by a call that must not return: we jump back to the caller's frame
// and throw there, because exceptions must not pass through C code.
struct ErrorState {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool damaged;
};

ErrorState& state_of(j_common_ptr info) { return *reinterpret_cast<ErrorState*>(info->err); }

[[noreturn]] void on_error(j_common_ptr info) {
  (*info->err->format_message)(info, state_of(info).message);
  std::longjmp(state_of(info).jump, 1);
}

// Warnings (level < 0) that mean lost pixels; others, such as stray bytes between markers, do not.
void on_message(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  if (level >= 0 || state_of(info).damaged) return;
  if (code != JWRN_JPEG_EOF && code != JWRN_HIT_MARKER && code != JWRN_HUFF_BAD_CODE) return;
  state_of(info).damaged = true;
  (*info->err->format_message)(info, state_of(info).message);
}

// Value of the orientation tag (0x0112) in IFD0 of an APP1 block, 1 when absent or malformed.
int exif_orientation(const unsigned char* data, size_t size) {
  if (size < 14 ||
      std::string_view(reinterpret_cast<const char*>(data), 6) != std::string_view("Exif\0\0", 6)) {
    return 1;
  }
  data += 6, size -= 6;
  const bool little = data[0] == 'I';
  const auto word = [&](size_t at) -> unsigned {
    if (at + 2 > size) return 0;
    return little ? data[at] | data[at + 1] << 8u : data[at] << 8u | data[at + 1];
  };
  // Offsets beyond 64 KiB cannot occur inside one APP1 block: the low words are enough.
  const size_t table = little ? word(4) : word(6);
  const size_t entries = word(table);
  for (size_t i = 0; i < entries && table + 14 + 12 * i <= size; ++i) {
    const size_t entry = table + 2 + 12 * i;
    if (word(entry) != 0x0112) continue;
    const auto value = static_cast<int>(word(entry + 8));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

}  // namespace

struct JpegReader::Impl {
  jpeg_decompress_struct info{};
  ErrorState errors{};
  std::string name;
  bool ends_properly = false;
  cv::Mat rows, last_row;  // members, because a local would be indeterminate after longjmp

  // Fills `rows` with the region, in output pixels, and some columns beside it; returns the first
  // column. A function of its own, so that no variable lives across setjmp.
  [[gnu::noinline]] int decode(const cv::Rect& region);
  [[noreturn]] void fail_now() const { fail(name, " is a damaged JPEG: ", errors.message); }
};

int JpegReader::Impl::decode(const cv::Rect& region) {
  info.out_color_space = JCS_EXT_BGR;
  jpeg_start_decompress(&info);
  // Chroma is interpolated across block borders: two more columns make the cut exact.
  const int left = std::max(region.x - 2, 0);
  const int right = std::min(region.br().x + 2, static_cast<int>(info.output_width));
  auto x = static_cast<JDIMENSION>(left), width = static_cast<JDIMENSION>(right - left);
  // Moves x left to a block border.
  if (width < info.output_width) jpeg_crop_scanline(&info, &x, &width);
  rows.create(region.height, static_cast<int>(width), CV_8UC3);
  if (region.y > 0) jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(region.y));
  for (int y = 0; y < region.height;) {
    JSAMPROW row = rows.ptr(y);
    y += static_cast<int>(jpeg_read_scanlines(&info, &row, 1));
  }
  // A file that lacks its end marker may be cut anywhere: walk to the last row to find out.
  if (!ends_properly && info.output_scanline < info.output_height) {
    last_row.create(1, static_cast<int>(width), CV_8UC3);
    JSAMPROW row = last_row.ptr();
    jpeg_skip_scanlines(&info, info.output_height - info.output_scanline - 1);
    jpeg_read_scanlines(&info, &row, 1);
  }
  return static_cast<int>(x);
}

JpegReader::JpegReader(std::string_view bytes, std::string name) : impl_(new Impl) {
  auto& info = impl_->info;
  impl_->name = std::move(name);
  impl_->ends_properly = bytes.ends_with("\xff\xd9");
  info.err = jpeg_std_error(&impl_->errors.base);
  info.err->error_exit = on_error;
  info.err->emit_message = on_message;
  if (setjmp(impl_->errors.jump)) {
    jpeg_destroy_decompress(&info);
    impl_->fail_now();
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&info, TRUE);
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&impl_->info); }

cv::Size JpegReader::size() const {
  return {static_cast<int>(impl_->info.image_width), static_cast<int>(impl_->info.image_height)};
}

int JpegReader::orientation() const {
  for (const auto* marker = impl_->info.marker_list; marker; marker = marker->next) {
    const int value = exif_orientation(marker->data, marker->data_length);
    if (value != 1) return value;
  }
  return 1;
}

bool JpegReader::has_bgr() const {
  return impl_->info.jpeg_color_space != JCS_CMYK && impl_->info.jpeg_color_space != JCS_YCCK;
}

cv::Mat JpegReader::read(const cv::Rect& region, int reduction) {
  // The inverse transform of a block then yields fewer pixels: 4 x 4, 2 x 2 or its mean.
  impl_->info.scale_num = 8 / static_cast<unsigned>(reduction);
  impl_->info.scale_denom = 8;
  const cv::Point end((region.br().x + reduction - 1) / reduction,
                      (region.br().y + reduction - 1) / reduction);
  const cv::Rect part(region.tl() / reduction, end);
  if (setjmp(impl_->errors.jump)) impl_->fail_now();
  const int first = impl_->decode(part);
  if (impl_->errors.damaged) impl_->fail_now();
  return impl_->rows.colRange(part.x - first, part.br().x - first);
}

}  // namespace plateforge
