#include "predict/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace rung::predict {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");
constexpr std::size_t kMaxHeader = 16u << 20;

Error corrupt(std::string sentence) { return {ErrorCode::kCorruptFile, std::move(sentence)}; }

std::optional<DType> dtype(std::string_view text) {
  for (DType type : {DType::kF32, DType::kI8, DType::kU8, DType::kI32, DType::kI64})
    if (name(type) == text) return type;
  return std::nullopt;
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  out += '"';
}

std::string shape_text(std::span<const std::size_t> shape) {
  std::vector<std::string> parts;
  for (std::size_t d : shape) parts.push_back(d == TensorFile::kAny ? "any" : std::to_string(d));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace

std::size_t size_of(DType type) {
  if (type == DType::kI64) return 8;
  return type == DType::kF32 || type == DType::kI32 ? 4 : 1;
}

std::string_view name(DType type) {
  switch (type) {
    case DType::kF32:
      return "F32";
    case DType::kI8:
      return "I8";
    case DType::kU8:
      return "U8";
    case DType::kI32:
      return "I32";
    case DType::kI64:
      return "I64";
  }
  return "?";
}

std::size_t Tensor::elements() const { return bytes.size() / size_of(type); }
std::span<const float> Tensor::f32() const {
  RUNG_CHECK(type == DType::kF32, "tensor is not F32");
  return {reinterpret_cast<const float*>(bytes.data()), elements()};
}
std::span<const std::int8_t> Tensor::i8() const {
  RUNG_CHECK(type == DType::kI8, "tensor is not I8");
  return {reinterpret_cast<const std::int8_t*>(bytes.data()), elements()};
}
std::span<const std::uint8_t> Tensor::u8() const {
  RUNG_CHECK(type == DType::kU8, "tensor is not U8");
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), elements()};
}
std::span<const std::int32_t> Tensor::i32() const {
  RUNG_CHECK(type == DType::kI32, "tensor is not I32");
  return {reinterpret_cast<const std::int32_t*>(bytes.data()), elements()};
}

void TensorWriter::add(std::string name, std::vector<std::size_t> shape,
                       std::span<const float> values) {
  add_bytes(std::move(name), DType::kF32, std::move(shape), values.data(), values.size());
}
void TensorWriter::add(std::string name, std::vector<std::size_t> shape,
                       std::span<const std::int8_t> values) {
  add_bytes(std::move(name), DType::kI8, std::move(shape), values.data(), values.size());
}
void TensorWriter::add(std::string name, std::vector<std::size_t> shape,
                       std::span<const std::uint8_t> values) {
  add_bytes(std::move(name), DType::kU8, std::move(shape), values.data(), values.size());
}
void TensorWriter::add(std::string name, std::vector<std::size_t> shape,
                       std::span<const std::int32_t> values) {
  add_bytes(std::move(name), DType::kI32, std::move(shape), values.data(), values.size());
}

void TensorWriter::add_bytes(std::string name, DType type, std::vector<std::size_t> shape,
                             const void* data, std::size_t elements) {
  std::size_t expected = 1;
  for (std::size_t d : shape) expected *= d;
  RUNG_CHECK(expected == elements, "a tensor's values do not fill its shape");
  std::string bytes(elements * size_of(type), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), data, bytes.size());
  entries_.push_back({std::move(name), type, std::move(shape), std::move(bytes)});
}

std::string TensorWriter::finish() const {
  // Wide types first, so that every tensor is aligned to its own size without padding.
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return size_of(a->type) > size_of(b->type);
  });
  std::string header = "{\"__metadata__\":{";
  for (bool first = true; const auto& [key, value] : metadata_) {
    if (!first) header += ',';
    first = false;
    append_json(header, key);
    header += ':';
    append_json(header, value);
  }
  header += '}';
  std::size_t offset = 0;
  for (const Entry* entry : order) {
    header += ',';
    append_json(header, entry->name);
    header += fmt::format(":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          name(entry->type), fmt::join(entry->shape, ","), offset,
                          offset + entry->bytes.size());
    offset += entry->bytes.size();
  }
  header += '}';
  while (header.size() % 8 != 0) header += ' ';
  const std::uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  out += header;
  for (const Entry* entry : order) out += entry->bytes;
  return out;
}

Result<TensorFile> TensorFile::parse(std::string_view bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < 8)
    return corrupt(
        fmt::format("the file has {} bytes, too few for a safetensors file; expected what rung "
                    "train wrote, whole",
                    bytes.size()));
  std::memcpy(&length, bytes.data(), 8);
  if (length > kMaxHeader)
    return corrupt(fmt::format(
        "this is not a safetensors file: the first 8 bytes say that its header has {} bytes, "
        "the limit is {}; expected what rung train wrote",
        length, kMaxHeader));
  if (length > bytes.size() - 8)
    return corrupt(
        fmt::format("the header should have {} bytes, but only {} follow; the file is probably cut",
                    length, bytes.size() - 8));
  if (length % 8 != 0)
    return corrupt(fmt::format(
        "the header has {} bytes; expected a multiple of 8, so that tensors are aligned", length));
  const std::string_view data = bytes.substr(8 + length);
  const simdjson::padded_string header(bytes.substr(8, length));
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  if (parser.parse(header).get(root) != simdjson::SUCCESS)
    return corrupt(
        "this is not a safetensors file: its header is not a JSON object; expected what rung train "
        "wrote");

  TensorFile file;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto& [key, value] : root) {
    if (key == "__metadata__") {
      simdjson::dom::object entries;
      if (value.get(entries) != simdjson::SUCCESS)
        return corrupt("the header's __metadata__ is not an object");
      for (const auto& [k, v] : entries) {
        std::string_view text;
        if (v.get(text) != simdjson::SUCCESS)
          return corrupt(fmt::format("metadata '{}' is not a string", k));
        file.metadata_[std::string(k)] = std::string(text);
      }
      continue;
    }
    std::string_view type_name;
    simdjson::dom::array shape, offsets;
    if (value["dtype"].get(type_name) != simdjson::SUCCESS ||
        value["shape"].get(shape) != simdjson::SUCCESS ||
        value["data_offsets"].get(offsets) != simdjson::SUCCESS || offsets.size() != 2)
      return corrupt(fmt::format("tensor '{}' lacks dtype, shape or data_offsets", key));
    const auto type = dtype(type_name);
    if (!type)
      return corrupt(
          fmt::format("tensor '{}' has dtype '{}'; expected F32, I64, I32, I8 or U8", key,
                      type_name));
    Tensor tensor{*type, {}, {}};
    std::uint64_t elements = 1, begin = 0, end = 0;
    if (offsets.at(0).get(begin) != simdjson::SUCCESS ||
        offsets.at(1).get(end) != simdjson::SUCCESS || begin > end)
      return corrupt(fmt::format("tensor '{}' has data_offsets that are not a range", key));
    if (end > data.size())
      return corrupt(
          fmt::format("tensor '{}' should end at byte {}, but the data has {} bytes; the file is "
                      "probably cut",
                      key, end, data.size()));
    for (const auto& d : shape) {
      std::uint64_t dim = 0;
      if (d.get(dim) != simdjson::SUCCESS || (dim != 0 && elements > data.size() / dim + 1))
        return corrupt(fmt::format("tensor '{}' has a shape that the file cannot hold", key));
      elements *= dim;
      tensor.shape.push_back(dim);
    }
    if (end - begin != elements * size_of(*type))
      return corrupt(fmt::format("tensor '{}' has {} bytes; its shape {} of {} needs {}", key,
                                 end - begin, shape_text(tensor.shape), type_name,
                                 elements * size_of(*type)));
    if (begin % size_of(*type) != 0)
      return corrupt(
          fmt::format("tensor '{}' starts at byte {}, which is not aligned", key, begin));
    tensor.bytes = data.substr(begin, end - begin);
    if (*type == DType::kF32) {
      for (std::size_t i = 0; float x : tensor.f32()) {
        if (!std::isfinite(x))
          return corrupt(fmt::format(
              "tensor '{}' holds {} at element {}; every number must be finite", key, x, i));
        ++i;
      }
    }
    if (end > begin) ranges.emplace_back(begin, end);
    if (!file.tensors_.emplace(std::string(key), std::move(tensor)).second)
      return corrupt(fmt::format("tensor '{}' is named twice", key));
  }
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin < covered)
      return corrupt(fmt::format("two tensors overlap at byte {} of the data", begin));
    if (begin > covered)
      return corrupt(fmt::format("bytes {} to {} of the data belong to no tensor", covered, begin));
    covered = end;
  }
  if (covered != data.size())
    return corrupt(
        fmt::format("{} bytes follow the last tensor; expected none", data.size() - covered));
  return file;
}

Result<Tensor> TensorFile::tensor(std::string_view name_wanted, DType type,
                                  std::span<const std::size_t> shape) const {
  const auto at = tensors_.find(name_wanted);
  if (at == tensors_.end())
    return corrupt(fmt::format("tensor '{}' is missing; expected {} {}", name_wanted, name(type),
                               shape_text(shape)));
  const Tensor& found = at->second;
  bool fits = found.type == type && found.shape.size() == shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i)
    fits = shape[i] == kAny || shape[i] == found.shape[i];
  if (!fits)
    return corrupt(fmt::format("tensor '{}' is {} {}; expected {} {}", name_wanted,
                               name(found.type), shape_text(found.shape), name(type),
                               shape_text(shape)));
  return found;
}

std::string_view TensorFile::metadata(std::string_view key) const {
  const auto at = metadata_.find(key);
  return at == metadata_.end() ? std::string_view{} : std::string_view(at->second);
}

}  // namespace rung::predict
