// Threads of one network: they sleep when no call comes for a while and take items one by one, so that what an item computes never
// depends on how many there are.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace earshot {

class ThreadPool {
 public:
  // `threads` counts the caller, who works too.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs work(item, worker) for every item in [0, items), and returns when all are done. `worker` < threads() names the
  // scratch memory to use. Items must not depend on each other. Not reentrant: one caller at a time.
  // An exception ends the call after the running items and is thrown here.
  void run(int items, const std::function<void(int item, int worker)>& work);

 private:
  void loop(int worker);
  void take(int worker, int items, const std::function<void(int, int)>& work);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int, int)>* work_ = nullptr;  // null: nothing to do
  std::atomic<int> next_{0};
  int items_ = 0;
  std::atomic<int> busy_{0};  // workers inside the current call
  std::atomic<uint64_t> round_{0};
  bool closing_ = false;
  std::exception_ptr failure_;
};

}  // namespace earshot
