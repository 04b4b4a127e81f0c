#include "net/loop.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "net/net_test_kit.h"
#include "net/url.h"

namespace rung {
namespace {

using net_test::run;
using std::chrono::milliseconds;

Task<int> twice(int value) { co_return value * 2; }
Task<int> deep(int levels) {
  if (levels == 0) co_return 0;
  co_return 1 + co_await deep(levels - 1);
}

TEST(Task, ReturnsValuesThroughDeepChainsWithoutUsingTheStack) {
  Loop loop;
  auto body = []() -> Task<void> {
    EXPECT_EQ(co_await twice(21), 42);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
    EXPECT_EQ(co_await deep(100'000), 100'000);
#else
    EXPECT_EQ(co_await deep(100), 100);  // tail calls are not made in such builds
#endif
  };
  run(loop, body());
}

Task<void> note(Loop& loop, std::vector<int>& order, int ms) {
  (void)co_await loop.sleep_for(milliseconds(ms));
  order.push_back(ms);
}

TEST(Loop, WakesSleepersInTheOrderOfTheirTimes) {
  Loop loop;
  std::vector<int> order;
  for (const int ms : {30, 5, 20, 1, 10}) loop.spawn(note(loop, order, ms));
  auto body = [&]() -> Task<void> { (void)co_await loop.sleep_for(milliseconds(60)); };
  run(loop, body());
  EXPECT_EQ(order, (std::vector<int>{1, 5, 10, 20, 30}));
}

TEST(Loop, TimersMayMoveInBothDirectionsAndBeCleared) {
  Loop loop;
  std::vector<std::string> fired;
  struct Named {
    std::vector<std::string>& fired;
    std::string name;
    static void fire(void* self) {
      auto& named = *static_cast<Named*>(self);
      named.fired.push_back(named.name);
    }
  };
  Named later{fired, "later"}, sooner{fired, "sooner"}, never{fired, "never"};
  Timer a(loop, &Named::fire, &later), b(loop, &Named::fire, &sooner),
      c(loop, &Named::fire, &never);
  a.set(loop.now() + milliseconds(5));
  b.set(loop.now() + milliseconds(500));
  c.set(loop.now() + milliseconds(5));
  a.set(loop.now() + milliseconds(30));
  b.set(loop.now() + milliseconds(10));
  c.clear();
  std::this_thread::sleep_for(milliseconds(40));  // both have come when the loop first looks
  auto body = [&]() -> Task<void> { (void)co_await loop.sleep_for(milliseconds(5)); };
  run(loop, body());
  EXPECT_EQ(fired, (std::vector<std::string>{"sooner", "later"}));
}

TEST(Loop, RunsWhatOtherThreadsPost) {
  Loop loop;
  int sum = 0;
  std::thread other([&] {
    for (int i = 1; i <= 1000; ++i) loop.post([&sum, i] { sum += i; });
    loop.stop();
  });
  loop.run();
  other.join();
  EXPECT_EQ(sum, 500'500);
}

TEST(Loop, ALetterToALoopThatIsGoneIsDropped) {
  LoopPoster poster;
  {
    Loop loop;
    poster = loop.poster();
  }
  poster.post([] { FAIL(); });
}

TEST(Loop, DestroysTasksThatStillSleep) {
  auto witness = std::make_shared<int>(1);
  {
    Loop loop;
    auto sleeper = [](Loop& on, std::shared_ptr<int> held) -> Task<void> {
      (void)co_await on.sleep_for(std::chrono::hours(1));
      *held = 2;
    };
    loop.spawn(sleeper(loop, witness));
    auto body = [&]() -> Task<void> { (void)co_await loop.sleep_for(milliseconds(1)); };
    run(loop, body());
    EXPECT_EQ(witness.use_count(), 2);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(Cancel, EndsASleepAtOnceAlsoThroughAChildSource) {
  Loop loop;
  CancelSource parent;
  auto sleeper = [&]() -> Task<void> {
    CancelSource child(parent.token());
    const auto slept = co_await loop.sleep_for(std::chrono::hours(1), child.token());
    EXPECT_EQ(slept.error().code, ErrorCode::kCancelled);
    const auto again = co_await loop.sleep_for(std::chrono::hours(1), child.token());
    EXPECT_FALSE(again);
  };
  auto canceller = [&]() -> Task<void> {
    (void)co_await loop.sleep_for(milliseconds(2));
    parent.cancel();
  };
  loop.spawn(canceller());
  run(loop, sleeper());
}

TEST(Event, TellsSetFromTimeoutFromCancel) {
  Loop loop;
  Event event(loop);
  CancelSource source;
  auto body = [&]() -> Task<void> {
    const auto late = co_await event.wait({}, Deadline{loop.now() + milliseconds(2)});
    EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
    auto setter = [&]() -> Task<void> {
      event.set();
      event.reset();  // who waited at the time is woken all the same
      co_return;
    };
    loop.spawn(setter());
    EXPECT_TRUE(co_await event.wait());
    source.cancel();
    const auto cancelled = co_await event.wait(source.token());
    EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
    event.set();
    EXPECT_TRUE(co_await event.wait());
  };
  run(loop, body());
}

TEST(Url, ReadsBaseUrlsAndNamesWhatIsWrong) {
  const auto url = parse_url("https://api.example.com/v1/");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->authority(), "api.example.com:443");
  EXPECT_EQ(url->host_header(), "api.example.com");
  EXPECT_EQ(url->path, "/v1");
  EXPECT_EQ(parse_url("http://[::1]:8000")->authority(), "[::1]:8000");
  EXPECT_EQ(parse_url("http://a:8000")->host_header(), "a:8000");
  for (const char* bad :
       {"ftp://a", "http://", "http://a:0", "http://a:99999", "http://a b", "http://u@a",
        "http://a/?q", "http://[::1", "http://[[=]:4", "http://[a]", "http://a]:1"}) {
    const auto refused = parse_url(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message.find(bad), std::string::npos);
  }
  EXPECT_EQ(parse_listen(":4000")->host, "0.0.0.0");
  EXPECT_EQ(parse_listen("[::1]:0")->host, "::1");
  EXPECT_FALSE(parse_listen("4000"));
  EXPECT_FALSE(parse_listen("localhost:x"));
}

}  // namespace
}  // namespace rung
