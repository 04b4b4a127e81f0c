#include "base/progress.h"

#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>

namespace rung {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void on_interrupt(int signal) {
  if (g_interrupted != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  g_interrupted = 1;
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
}

bool interrupted() { return g_interrupted != 0; }

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)),
      total_(total),
      started_(std::chrono::steady_clock::now()),
      drawn_(started_),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::set_total(std::uint64_t total) { total_ = total; }

void Progress::advance(std::uint64_t by) {
  const std::uint64_t done = done_.fetch_add(by) + by;
  if (!terminal_) return;
  const TimePoint now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  draw(now, done);
}

void Progress::draw(TimePoint now, std::uint64_t done) {
  const double total = static_cast<double>(total_.load());
  if (total <= 0) {
    std::fprintf(stderr, "\r\033[K%s  %llu", label_.c_str(), static_cast<unsigned long long>(done));
  } else {
    const double share = std::min(1.0, static_cast<double>(done) / total);
    const double spent = std::chrono::duration<double>(now - started_).count();
    const long left = share > 0.005 ? std::lround(spent * (1 - share) / share) : -1;
    std::fprintf(stderr, "\r\033[K%s  %3.0f %%", label_.c_str(), share * 100);
    if (left >= 0) std::fprintf(stderr, "  %ld:%02ld left", left / 60, left % 60);
  }
  std::fflush(stderr);
}

}  // namespace rung
