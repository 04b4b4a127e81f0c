#pragma once
// The forms of request and reply that clients and upstreams speak.

#include <cstdint>
#include <string_view>

namespace rung::wire {

enum class Dialect : std::uint8_t {
  kChat,        // OpenAI Chat Completions
  kMessages,    // Anthropic Messages
  kResponses,   // OpenAI Responses
  kEmbeddings,  // OpenAI embeddings
};

/// As error sentences call it: "Chat Completions", "Anthropic Messages", ...
std::string_view name(Dialect dialect);
/// Where an upstream answers it, behind its base URL: "/chat/completions", "/messages", ...
std::string_view endpoint(Dialect dialect);

}  // namespace rung::wire
