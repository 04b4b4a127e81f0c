#pragma once
// A published method as an artefact (artefact.h: the same format, other tensors), and the router
// that serves it.

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "predict/published.h"
#include "predict/router.h"

namespace rung::predict {

/// `extra` as in write_artefact.
std::string write_published(const PublishedModel& model,
                            const std::map<std::string, std::string>& extra);

/// `bytes` are a safetensors file whose metadata name a published method. Error: kCorruptFile: a
/// missing tensor, a shape that disagrees, a number out of range.
Result<std::shared_ptr<const Router>> make_published_router(
    std::unique_ptr<const std::string> bytes);

}  // namespace rung::predict
