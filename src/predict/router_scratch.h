#pragma once
// What Scratch holds; only routers look inside.

#include <array>
#include <vector>

#include "predict/embedding.h"
#include "predict/encoder.h"
#include "predict/model.h"
#include "predict/router.h"

namespace rung::predict {

struct Scratch::Impl {
  text::FeatureReader reader;
  text::Features features;
  std::array<float, kDesignDims> design{};
  EstimateScratch estimate;
  EncoderScratch encoder;
  std::vector<float> encoded;
  std::vector<double> confidence;  // best-route
};

}  // namespace rung::predict
