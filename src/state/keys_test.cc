#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "base/file.h"
#include "state/key_hash.h"
#include "state/key_store.h"
#include "state/ledger.h"
#include "state/testing.h"

namespace rung::state {
namespace {

using testing::Folder;
using testing::kNoon;

KeySpec a_key(const std::string& name) {
  KeySpec spec;
  spec.name = name;
  const std::string key = make_key();
  spec.digest = digest_of(key);
  spec.shown = shown_part(key);
  spec.created_us = kNoon;
  return spec;
}

TEST(KeyHash, IsPlainSha256) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(text_of(digest_of("abc")),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(parse_digest(text_of(digest_of("x"))), digest_of("x"));
  for (const char* bad : {"", "sha256:", "sha256:ba78", "md5:ba7816bf8f01cfea414140de5dae2223"})
    EXPECT_FALSE(parse_digest(bad)) << bad;
  EXPECT_FALSE(parse_digest(text_of(digest_of("x")).replace(10, 1, "g")));
}

TEST(KeyHash, KeysAreLongAndNeverTheSame) {
  std::set<std::string> seen;
  std::array<std::set<char>, 48> at;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = make_key();
    ASSERT_EQ(key.size(), 5u + 43u);
    EXPECT_TRUE(key.starts_with("rung-"));
    EXPECT_TRUE(seen.insert(key).second);
    for (std::size_t c = 5; c < key.size(); ++c) at[c].insert(key[c]);
  }
  for (std::size_t c = 5; c < 47; ++c) EXPECT_EQ(at[c].size(), 64u) << "place " << c;
  EXPECT_EQ(at[47].size(), 16u) << "the last four bits";
}

TEST(KeyHash, ShowsLittleOfAKeyAndNothingOfOneThatSomebodyChose) {
  EXPECT_EQ(shown_part(make_key()).size(), 5u + 3u + 3u);
  EXPECT_EQ(shown_part("sk-secret-of-somebody-that-is-long-enough"), "...");
  EXPECT_EQ(shown_part("rung-short"), "...");
}

TEST(KeySpec, TimesReadBackAndOddOnesAreRefused) {
  EXPECT_EQ(time_text(*parse_time("2026-12-31")), "2026-12-31T00:00:00Z");
  EXPECT_EQ(time_text(*parse_time("2028-02-29T23:59:58Z")), "2028-02-29T23:59:58Z");
  for (const char* bad : {"", "2026", "2026-13-01", "2026-02-29", "2026-12-31 12:00", "tomorrow",
                          "2026-12-31T24:00:00Z", "2026-12-31T12:00:00", "2026-12-31T12:00:00+02"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

TEST(KeySpec, RightsReadBackAsTheyWereWritten) {
  KeySpec spec = a_key("alice");
  spec.routes = {{"auto"}};
  spec.models = {std::vector<std::string>()};
  spec.expires_us = parse_time("2027-01-01");
  spec.disabled = true;
  spec.team = "research";
  spec.labels = {{"cost centre", "4711"}};
  spec.limits = {.requests_per_minute = 60,
                 .tokens_per_minute = 0,
                 .concurrent = 3,
                 .usd_per_day = NanoUsd{123'456'789},
                 .usd_per_month = {},
                 .usd_total = NanoUsd{1}};
  json::Writer w;
  w.begin_object();
  write_rights(spec, w);
  const std::string text = w.end_object().take();
  KeySpec read;
  ASSERT_TRUE(read_rights(*json::parse(text), {}, read)) << text;
  EXPECT_EQ(read.routes, spec.routes);
  EXPECT_EQ(read.models, spec.models) << "no model at all is not the same as all";
  EXPECT_EQ(read.expires_us, spec.expires_us);
  EXPECT_TRUE(read.disabled);
  EXPECT_EQ(read.team, "research");
  EXPECT_EQ(read.labels, spec.labels);
  EXPECT_EQ(read.limits, spec.limits);
}

TEST(KeySpec, WhatCannotBeMeantIsRefusedByItsName) {
  const auto refusal = [](const char* text) {
    KeySpec spec;
    const auto read = read_rights(*json::parse(text), {"name"}, spec);
    return read ? std::string("(accepted)") : read.error().field;
  };
  EXPECT_EQ(refusal(R"({"name":1,"team":"x"})"), "(accepted)");
  EXPECT_EQ(refusal(R"({"router":["auto"]})"), "router");
  EXPECT_EQ(refusal(R"({"routes":"auto"})"), "routes");
  EXPECT_EQ(refusal(R"({"expires":1})"), "expires");
  EXPECT_EQ(refusal(R"({"limits":{"usd":1}})"), "limits.usd");
  EXPECT_EQ(refusal(R"({"limits":{"usd_total":-1}})"), "limits.usd_total");
  EXPECT_EQ(refusal(R"({"limits":{"concurrent":1.5}})"), "limits.concurrent");
}

TEST(KeyStore, KeepsDigestsAndRightsAcrossProcessesAndNeverAKey) {
  Folder folder;
  const std::string file = folder.file("keys.db"), key = make_key();
  {
    auto store = KeyStore::open(file);
    ASSERT_TRUE(store) << store.error().message;
    KeySpec spec = a_key("alice");
    spec.digest = digest_of(key);
    spec.team = "research";
    EXPECT_TRUE((*store)->add(spec));
    EXPECT_EQ((*store)->add(a_key("alice")).error().code, ErrorCode::kInvalidArgument);
    spec.name = "bob";
    EXPECT_EQ((*store)->add(spec).error().code, ErrorCode::kInvalidArgument)
        << "the same key twice";
  }
  struct stat info{};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  EXPECT_EQ(read_file(file)->find(key), std::string::npos);
  auto store = KeyStore::open(file);
  const auto keys = (*store)->list();
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ((*keys)[0].digest, digest_of(key));
  EXPECT_EQ((*keys)[0].team, "research");
}

TEST(KeyStore, ARevokedKeyStaysRevokedAndItsNameTaken) {
  Folder folder;
  auto store = *KeyStore::open(folder.file("keys.db"));
  EXPECT_TRUE(store->add(a_key("alice")));
  EXPECT_TRUE(store->revoke("alice", kNoon + 5));
  EXPECT_EQ(store->revoke("alice", kNoon + 6).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store->update(a_key("alice")).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(store->add(a_key("alice")));
  EXPECT_EQ((*store->list())[0].revoked_us, kNoon + 5);
}

TEST(KeyStore, TellsWhenAnotherProcessHasWritten) {
  Folder folder;
  auto ours = *KeyStore::open(folder.file("keys.db"));
  auto theirs = *KeyStore::open(folder.file("keys.db"));
  const std::int64_t before = *ours->version();
  EXPECT_EQ(*ours->version(), before);
  EXPECT_TRUE(theirs->add(a_key("alice")));
  EXPECT_NE(*ours->version(), before);
}

TEST(KeyStore, RefusesAFileThatIsSomethingElse) {
  Folder folder;
  LedgerOptions options;
  options.path = folder.file("ledger.db");
  EXPECT_TRUE((*Ledger::open(options))->flush());
  EXPECT_EQ(KeyStore::open(options.path).error().code, ErrorCode::kCorruptFile);
  EXPECT_EQ(key_store_beside("/var/lib/rung.db"), "/var/lib/rung.keys.db");
}

}  // namespace
}  // namespace rung::state
