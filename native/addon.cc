// The addon's exports: the list of instruction sets, and a factory for each kind of object.
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "audio_encoder_object.h"
#include "cnn.h"
#include "network_object.h"
#include "resample_object.h"
#include "small_net.h"
#include "transformer.h"

namespace earshot {

namespace {

// Bounds for the number of samples in a clip: enough for one token, and a minute at 48 kHz.
constexpr int kMinSamples = 64;
constexpr int kMaxSamples = 2'880'000;
// Largest number of units in a transformer's feed-forward block (shared/contracts/architecture.ts).
constexpr int kMaxHidden = 8192;

// The constructors of the addon's classes, for one JavaScript thread.
struct ThreadData {
  Napi::FunctionReference network, resampler, audio_encoder;
};

const Kernels& read_kernels(const Napi::Object& options) {
  const std::string isa = read_text(options.Get("instructionSet"), "instructionSet");
  const Kernels* kernels = find_kernels(isa);
  if (kernels == nullptr) refuse_value(options.Env(), "instructionSet: this machine has no " + isa);
  return *kernels;
}

double read_rate(const Napi::Object& options) {
  const double rate = read_number(options.Get("dropout"), "dropout");
  if (!(rate >= 0 && rate <= 0.95)) refuse_value(options.Env(), "dropout: expected 0 to 0.95");
  return rate;
}

Napi::Object read_options(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) refuse_type(info.Env(), "options", "an object");
  return info[0].As<Napi::Object>();
}

// Makes the frame cache from the options cachedFrames (0: no cache) and frameSamples.
std::unique_ptr<FrameCache> read_cache(const Napi::Object& options, int samples) {
  const int capacity = read_count(options.Get("cachedFrames"), "cachedFrames", 0, 65'536);
  if (capacity == 0) return nullptr;
  const int length = read_count(options.Get("frameSamples"), "frameSamples", 2 * kSamplesPerToken, samples);
  if (length % kSamplesPerToken != 0 || samples % length != 0) {
    refuse_value(options.Env(), "frameSamples: expected a multiple of 64 that divides samples");
  }
  return std::make_unique<FrameCache>(length, capacity);
}

// Options that all architectures have.
struct CommonOptions {
  const Kernels& kernels;
  int threads, classes;
  double rate;
};

CommonOptions read_common(const Napi::Object& options) {
  return {read_kernels(options), read_count(options.Get("threads"), "threads", 1, 256),
          read_count(options.Get("classes"), "classes", 1, 1000), read_rate(options)};
}

int read_samples(const Napi::Object& options) {
  return read_count(options.Get("samples"), "samples", kMinSamples, kMaxSamples);
}

// Reads a number in [0, 1).
double read_share(const Napi::Object& options, const char* name) {
  const double share = read_number(options.Get(name), name);
  if (!(share >= 0 && share < 1)) refuse_value(options.Env(), std::string(name) + ": expected 0 or more, and less than 1");
  return share;
}

// Makes a network; lack of memory becomes an error of JavaScript.
template <typename Made, typename... Arguments>
Napi::Value create(Napi::Env env, const Kernels& kernels, Arguments&&... arguments) {
  try {
    const Napi::FunctionReference& constructor = env.GetInstanceData<ThreadData>()->network;
    return NetworkObject::create(constructor, std::make_unique<Made>(kernels, std::forward<Arguments>(arguments)...),
                                 kernels);
  } catch (const std::bad_alloc&) {
    throw Napi::RangeError::New(env, "There is not enough memory.");
  }
}

Napi::Value create_cnn(const Napi::CallbackInfo& info) {
  const Napi::Object options = read_options(info);
  const CommonOptions common = read_common(options);
  const int samples = read_samples(options);
  return create<Cnn>(info.Env(), common.kernels, common.threads, samples, common.classes, common.rate, read_cache(options, samples));
}

Napi::Value create_transformer(const Napi::CallbackInfo& info) {
  const Napi::Object options = read_options(info);
  const CommonOptions common = read_common(options);
  const int heads = read_count(options.Get("heads"), "heads", 1, 4);
  if (heads == 3) refuse_value(info.Env(), "heads: expected 1, 2 or 4");
  const int hidden = read_count(options.Get("hidden"), "hidden", 1, kMaxHidden);
  return create<Transformer>(info.Env(), common.kernels, common.threads, read_samples(options), common.classes, common.rate, heads, hidden);
}

Napi::Value create_small_net(const Napi::CallbackInfo& info) {
  const Napi::Object options = read_options(info);
  const Kernels& kernels = read_kernels(options);
  const int threads = read_count(options.Get("threads"), "threads", 1, 256);
  const int width = read_count(options.Get("width"), "width", 4, 256);
  const int head = read_count(options.Get("head"), "head", kChannelStep, 4096);
  const int outputs = read_count(options.Get("outputs"), "outputs", 2, 4096);
  const int features = read_count(options.Get("features"), "features", 1, outputs - 1);
  if (width % (kChannelStep / 4) != 0) refuse_value(info.Env(), "width: expected a multiple of 4");
  if (head % kChannelStep != 0) refuse_value(info.Env(), "head: expected a multiple of 16");
  const SmallOptimiser optimiser{read_share(options, "beta2"), read_share(options, "weightDecay"),
                                 read_share(options, "averageDecay")};
  return create<SmallNet>(info.Env(), kernels, threads, SmallSize{width, head, outputs}, optimiser, features);
}

Napi::Value create_audio_encoder(const Napi::CallbackInfo& info) {
  const Napi::Object options = read_options(info);
  const Kernels& kernels = read_kernels(options);
  const int threads = read_count(options.Get("threads"), "threads", 1, 256);
  const Napi::Value name = options.Get("network");
  const std::string network = name.IsString() ? name.As<Napi::String>().Utf8Value() : "";
  const bool small = network == "small";
  if (!small && network != "mobile-net") refuse_value(info.Env(), "network: expected mobile-net or small");
  return guarded(info.Env(), [&] {
    const Napi::FunctionReference& constructor = info.Env().GetInstanceData<ThreadData>()->audio_encoder;
    std::unique_ptr<PictureNetwork> network = (small ? create_small_pictures : create_mobile_pictures)(kernels, threads);
    return AudioEncoderObject::create(constructor, std::make_unique<AudioEncoder>(kernels, threads, std::move(network)), kernels);
  });
}

Napi::Value create_resampler(const Napi::CallbackInfo& info) {
  const Napi::Object options = read_options(info);
  return guarded(info.Env(), [&] {
    const Napi::FunctionReference& constructor = info.Env().GetInstanceData<ThreadData>()->resampler;
    return ResampleObject::create(constructor, options, read_kernels(options));
  });
}

Napi::Value instruction_sets(const Napi::CallbackInfo& info) {
  const std::vector<Kernels>& usable = usable_kernels();
  Napi::Array names = Napi::Array::New(info.Env(), usable.size());
  for (uint32_t i = 0; i < usable.size(); i++) names.Set(i, usable[i].isa);
  return names;
}

// Returns freed memory to the system. Otherwise the C library keeps up to 64 MiB of it for each thread,
// since its threshold grows with the largest block that was freed, here a batch.
Napi::Value release_memory(const Napi::CallbackInfo& info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return info.Env().Undefined();
}

// Ends the process without exit handlers and without waiting for other threads, one of which may hang.
void leave_process(const Napi::CallbackInfo& info) { std::_Exit(read_count(info[0], "code", 0, 255)); }

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new ThreadData{NetworkObject::define(env), ResampleObject::define(env), AudioEncoderObject::define(env)});
  exports.Set("instructionSets", Napi::Function::New(env, instruction_sets, "instructionSets"));
  exports.Set("releaseMemory", Napi::Function::New(env, release_memory, "releaseMemory"));
  exports.Set("leaveProcess", Napi::Function::New(env, leave_process, "leaveProcess"));
  exports.Set("createAudioEncoder", Napi::Function::New(env, create_audio_encoder, "createAudioEncoder"));
  exports.Set("createCnn", Napi::Function::New(env, create_cnn, "createCnn"));
  exports.Set("createResampler", Napi::Function::New(env, create_resampler, "createResampler"));
  exports.Set("createSmallNet", Napi::Function::New(env, create_small_net, "createSmallNet"));
  exports.Set("createTransformer", Napi::Function::New(env, create_transformer, "createTransformer"));
  return exports;
}

}  // namespace

NODE_API_MODULE(earshot_kernels, initialise)

}  // namespace earshot
