// libjpeg and libpng report errors by longjmp, which must not cross C++ objects: the two functions
// that call them hold none, and their callers turn the message into an Error.
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include <jerror.h>

#include <jpeglib.h>
#include <png.h>

#include "cortiscore/error.h"
#include "src/stimuli/image.h"

namespace cortiscore {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

// A decoded file before conversion to RGB: rows of `channels` bytes a pixel, in memory of malloc's.
struct Raw {
  uint8_t* pixels = nullptr;
  int64_t height = 0, width = 0;
  int channels = 0;
  bool inverted = false;  // Adobe's CMYK
  char message[JMSG_LENGTH_MAX] = "";
  bool no_memory = false;

  // Asked before libjpeg or libpng take memory for an image of this size.
  bool fits() {
    if (height * width <= kMaxPixels) return true;
    std::snprintf(message, sizeof message, "%lld x %lld pixels, more than 2^28",
                  static_cast<long long>(height), static_cast<long long>(width));
    return false;
  }
  void* take(int64_t n) {
    void* const memory = std::malloc(static_cast<size_t>(n));
    no_memory = !memory;
    return memory;
  }
};

struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char* message;
  bool* no_memory;
};

void jpeg_fail(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  *errors->no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

void jpeg_warn(j_common_ptr info, int level) {
  // libjpeg would invent the missing end of a truncated file and go on; Pillow refuses it, and so
  // do we.
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) jpeg_fail(info);
}

bool decode_jpeg(const uint8_t* data, size_t size, Raw* raw) {
  jpeg_decompress_struct info;
  JpegErrors errors;
  info.err = jpeg_std_error(&errors.manager);
  errors.message = raw->message;
  errors.no_memory = &raw->no_memory;
  errors.manager.error_exit = jpeg_fail;
  errors.manager.emit_message = jpeg_warn;
  if (setjmp(errors.jump)) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, data, size);
  jpeg_read_header(&info, TRUE);
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    info.out_color_space = JCS_CMYK;
    raw->inverted = info.saw_Adobe_marker;
  } else {
    info.out_color_space = info.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  }
  // A progressive file of some MB keeps the coefficients of the whole image once it is started.
  raw->height = info.image_height;
  raw->width = info.image_width;
  if (!raw->fits()) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_start_decompress(&info);
  raw->height = info.output_height;
  raw->width = info.output_width;
  raw->channels = info.output_components;
  raw->pixels = static_cast<uint8_t*>(raw->take(raw->height * raw->width * raw->channels));
  if (raw->no_memory) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  while (info.output_scanline < info.output_height) {
    JSAMPROW row =
        raw->pixels + static_cast<int64_t>(info.output_scanline) * raw->width * raw->channels;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

struct PngSource {
  const uint8_t* data;
  size_t size, position;
};

void png_read_bytes(png_structp png, png_bytep out, size_t n) {
  auto* source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (n > source->size - source->position) png_error(png, "the file ends early");
  std::memcpy(out, source->data + source->position, n);
  source->position += n;
}

void png_fail(png_structp png, png_const_charp message) {
  auto* raw = static_cast<Raw*>(png_get_error_ptr(png));
  std::snprintf(raw->message, sizeof raw->message, "%s", message);
  std::longjmp(*png_set_longjmp_fn(png, std::longjmp, sizeof(std::jmp_buf)), 1);
}

void png_ignore(png_structp, png_const_charp) {}

bool decode_png(const uint8_t* data, size_t size, Raw* raw) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, raw, png_fail, png_ignore);
  png_infop info = png_create_info_struct(png);
  PngSource source{data, size, 0};
  png_bytep* volatile rows = nullptr;
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, nullptr);
    std::free(rows);
    return false;
  }
  png_set_read_fn(png, &source, png_read_bytes);
  png_read_info(png, info);
  raw->width = png_get_image_width(png, info);
  raw->height = png_get_image_height(png, info);
  const int type = png_get_color_type(png, info);
  if (!raw->fits()) std::longjmp(png_jmpbuf(png), 1);
  if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16) {
    png_error(png, "16-bit grey, which Pillow clips to 255; convert it to 8 bits");
  }
  png_set_strip_16(png);
  png_set_packing(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  raw->channels = png_get_channels(png, info);
  if (raw->channels != 3) png_error(png, "a colour type that does not reduce to RGB");
  raw->pixels = static_cast<uint8_t*>(raw->take(raw->height * raw->width * 3));
  if (raw->no_memory) std::longjmp(png_jmpbuf(png), 1);
  rows = static_cast<png_bytep*>(raw->take(raw->height * static_cast<int64_t>(sizeof(png_bytep))));
  if (raw->no_memory) std::longjmp(png_jmpbuf(png), 1);
  for (int64_t y = 0; y < raw->height; ++y) rows[y] = raw->pixels + y * raw->width * 3;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  png_destroy_read_struct(&png, &info, nullptr);
  std::free(rows);
  return true;
}

// Pillow's MULDIV255 and CMYK to RGB (libImaging/Convert.c).
uint8_t cmyk_channel(int colour, int key) {
  const int light = 255 - key;
  const int product = colour * light + 128;
  return static_cast<uint8_t>(std::max(0, light - (((product >> 8) + product) >> 8)));
}

Image to_rgb(const Raw& raw) {
  Image image{raw.height, raw.width, {}};
  const auto n = static_cast<size_t>(raw.height * raw.width * 3);
  if (raw.channels == 3) {
    image.pixels.assign(raw.pixels, raw.pixels + n);
    return image;
  }
  image.pixels.resize(n);
  const uint8_t* in = raw.pixels;
  for (size_t i = 0; i < n; i += 3) {
    uint8_t* out = image.pixels.data() + i;
    if (raw.channels == 4) {
      uint8_t cmyk[4];
      for (int c = 0; c < 4; ++c)
        cmyk[c] = static_cast<uint8_t>(raw.inverted ? 255 - in[c] : in[c]);
      for (int c = 0; c < 3; ++c) out[c] = cmyk_channel(cmyk[c], cmyk[3]);
    } else {
      for (int c = 0; c < 3; ++c) out[c] = in[0];
    }
    in += raw.channels;
  }
  return image;
}

}  // namespace

Image decode_image(const std::string& bytes, const std::string& where) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const bool jpeg = bytes.size() > 2 && data[0] == 0xFF && data[1] == 0xD8;
  const bool png = bytes.size() > 8 && std::memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0;
  if (!jpeg && !png) {
    throw bad_input({where, "image", "neither a JPEG nor a PNG signature", "a JPEG or PNG file",
                     "Convert the image"});
  }
  Raw raw;
  const bool good =
      jpeg ? decode_jpeg(data, bytes.size(), &raw) : decode_png(data, bytes.size(), &raw);
  const std::unique_ptr<uint8_t, decltype(&std::free)> owned(raw.pixels, std::free);
  const auto no_memory = [&] {
    return Error(ErrorKind::kOutOfMemory,
                 where + ": found no room for " + std::to_string(raw.height) + " x " +
                     std::to_string(raw.width) +
                     " pixels, expected it. Free memory, or save the image smaller.");
  };
  if (raw.no_memory) throw no_memory();
  if (!good) {
    throw bad_input({where, jpeg ? "JPEG" : "PNG", raw.message, "a whole image",
                     "Fetch or export the file again"});
  }
  try {
    return to_rgb(raw);
  } catch (const std::bad_alloc&) {
    throw no_memory();
  }
}

}  // namespace cortiscore
