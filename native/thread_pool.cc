#include "thread_pool.h"

#include <chrono>
#include <system_error>

#include "flush_denormals.h"

namespace earshot {

namespace {

// How long a thread spins before it sleeps. A network makes a few calls one right after the other, and
// waking a sleeping thread would take longer than many of the calls.
constexpr std::chrono::microseconds kSpinTime{50};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until `condition` holds or kSpinTime has passed.
template <typename Condition>
void spin_until(const Condition& condition) {
  const auto until = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 16; i++) {
      if (condition()) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < until);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int worker = 1; worker < threads; worker++) {
      workers_.emplace_back([this, worker] { loop(worker); });
    }
  } catch (const std::system_error&) {
    // The system allows no more threads; the pool works with fewer.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int items, const std::function<void(int, int)>& work) {
  const FlushDenormals flush;
  {
    std::lock_guard lock(mutex_);
    work_ = &work;
    items_ = items;
    next_ = 0;
    failure_ = nullptr;
    round_++;
  }
  if (items > 1) wake_.notify_all();
  take(0, items, work);
  spin_until([this] { return busy_ == 0; });
  std::unique_lock lock(mutex_);
  // A worker that wakes only now finds no work, so the call does not wait for workers that never ran.
  work_ = nullptr;
  done_.wait(lock, [this] { return busy_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

void ThreadPool::loop(int worker) {
  const FlushDenormals flush;
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return closing_ || (work_ != nullptr && round_ != seen); });
    if (closing_) return;
    seen = round_;
    busy_++;
    // Read under the lock, because the caller may finish all items and reset `work_` before this thread
    // begins.
    const std::function<void(int, int)>& work = *work_;
    const int items = items_;
    lock.unlock();
    take(worker, items, work);
    lock.lock();
    if (--busy_ == 0) done_.notify_one();
    lock.unlock();
    spin_until([&] { return round_ != seen; });
    lock.lock();
  }
}

void ThreadPool::take(int worker, int items, const std::function<void(int, int)>& work) {
  try {
    for (int item = next_++; item < items; item = next_++) work(item, worker);
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    next_ = items;
  }
}

}  // namespace earshot
