// Captures what a native library prints to standard error while it is loaded. `start()` redirects the
// process's standard error into memory. `stop()` restores it and returns what any thread printed
// meanwhile. `limitLog()` sets a library's log level for later.
#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>
#include <string>

namespace {

std::mutex mutex;
int taps = 0;             // nested starts: several threads may load libraries at the same time
int memory = -1;          // file descriptor of the memory that captures
int standard_error = -1;  // copy of the original file descriptor

void start() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (taps++ > 0) return;
  memory = memfd_create("stderr", MFD_CLOEXEC);
  standard_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (memory >= 0 && standard_error >= 0) dup2(memory, STDERR_FILENO);
}

std::string stop() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (taps == 0 || --taps > 0) return "";
  std::string printed;
  if (memory >= 0 && standard_error >= 0) {
    dup2(standard_error, STDERR_FILENO);
    char bytes[4096];
    lseek(memory, 0, SEEK_SET);
    for (ssize_t count; (count = read(memory, bytes, sizeof bytes)) > 0;) printed.append(bytes, count);
  }
  if (memory >= 0) close(memory);
  if (standard_error >= 0) close(standard_error);
  return printed;
}

napi_value js_start(napi_env, napi_callback_info) {
  start();
  return nullptr;
}

napi_value js_stop(napi_env env, napi_callback_info) {
  const std::string printed = stop();
  napi_value text = nullptr;
  napi_create_string_utf8(env, printed.data(), printed.size(), &text);
  return text;
}

// Mangled name of absl::SetMinLogLevel(absl::LogSeverityAtLeast) of the Abseil in libtensorflow 2.21.
// Abseil does not read TF_CPP_MIN_LOG_LEVEL.
constexpr const char* kSetMinLogLevel = "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE";

// limitLog(library: string, level: number): sets the level if that library is loaded and has the
// function.
// @return whether it has
napi_value js_limit_log(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  char library[4096];
  int32_t level = 0;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  size_t length = 0;
  napi_get_value_string_utf8(env, arguments[0], library, sizeof library, &length);
  napi_get_value_int32(env, arguments[1], &level);
  void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
  const auto set = handle == nullptr ? nullptr : reinterpret_cast<void (*)(int)>(dlsym(handle, kSetMinLogLevel));
  if (set != nullptr) set(level);
  if (handle != nullptr) dlclose(handle);
  napi_value found = nullptr;
  napi_get_boolean(env, set != nullptr, &found);
  return found;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_property_descriptor functions[] = {
      {"start", nullptr, js_start, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"stop", nullptr, js_stop, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"limitLog", nullptr, js_limit_log, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, 3, functions);
  return exports;
}
