#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cortiscore {

/// 8-bit RGB, interleaved, rows from the top.
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> pixels;  ///< [height, width, 3]
};

/// A JPEG or PNG as Pillow's `Image.open(file).convert("RGB")` gives it, to the bit: fancy
/// upsampling and the accurate integer DCT; grey replicated, palettes looked up, alpha dropped,
/// 16-bit colour cut to its high byte, CMYK by Pillow's own formula; EXIF orientation ignored.
/// @param bytes  the file's content
/// @param where  its name, for messages
/// @throws Error(kBadInput)  neither JPEG nor PNG, truncated, damaged, or 16-bit grey (which Pillow
///                           clips)
Image decode_image(const std::string& bytes, const std::string& where);

/// Pillow's `image.resize((width, height), BILINEAR)` to the bit: antialiased two-pass convolution,
/// 22-bit fixed-point coefficients, horizontal pass first, rounded to 8 bits between passes.
/// Source: Pillow, src/libImaging/Resample.c.
Image resize_bilinear(const Image& image, int64_t height, int64_t width);

/// The platform's placement: an image that spans `source_degrees` shown on a screen of
/// `target_degrees`, its size on the screen in pixels kept. Larger screens pad with grey (128)
/// around the centre, smaller ones crop the centre.
/// Source: brainscore_vision model_helpers/brain_transformation/stimuli (place_on_screen).
Image place_on_screen(const Image& image, double target_degrees, double source_degrees);

}  // namespace cortiscore
