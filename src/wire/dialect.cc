#include "wire/dialect.h"

namespace rung::wire {

std::string_view name(Dialect dialect) {
  switch (dialect) {
    case Dialect::kChat:
      return "Chat Completions";
    case Dialect::kMessages:
      return "Anthropic Messages";
    case Dialect::kResponses:
      return "Responses";
    case Dialect::kEmbeddings:
      return "embeddings";
  }
  return "?";
}

std::string_view endpoint(Dialect dialect) {
  switch (dialect) {
    case Dialect::kChat:
      return "/chat/completions";
    case Dialect::kMessages:
      return "/messages";
    case Dialect::kResponses:
      return "/responses";
    case Dialect::kEmbeddings:
      return "/embeddings";
  }
  return "/";
}

}  // namespace rung::wire
