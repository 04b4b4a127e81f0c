#pragma once
// The part of the configuration that says what models cost: `prices:` and `models.NAME.price`.

#include <yaml-cpp/yaml.h>

#include "gateway/config.h"
#include "gateway/price_file.h"
#include "gateway/yaml_section.h"

namespace rung::gateway {

/// Reads `price` and `max_output` of a model whose names are already set. `price` may be a mapping
/// of rates, the key of an entry in the price file, or absent: then the file is asked for
/// `UPSTREAM/NAME` and `NAME`. What is wrong goes to `section`.
void read_price(YamlSection& section, const YamlSection::Resolve& resolve, const PriceFile& file,
                const std::string& upstream, ModelConfig& model);

}  // namespace rung::gateway
