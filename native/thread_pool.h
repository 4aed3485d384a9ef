// The threads of one network. They take work items one by one, so that the result of an item does not
// depend on the number of threads. Without calls for a while they sleep.
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
  // @param threads number of threads, including the caller's, which works too
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs work(item, worker) for every item in [0, items), and returns when all are done. `worker` <
  // threads() identifies the scratch memory to use. Items must not depend on each other. Not reentrant,
  // and for one caller at a time. After an exception no further items are started, and it is rethrown to
  // the caller.
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
