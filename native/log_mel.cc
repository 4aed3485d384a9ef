#include "log_mel.h"

#include <algorithm>
#include <cmath>

#include "layout.h"
#include "transform_tables.h"

namespace earshot {

namespace {

// shared/front-end/log-mel.ts
constexpr double kSmallestPower = 1e-10;

double decibels_of(double power) { return 10 * std::log10(power + kSmallestPower); }

}  // namespace

LogMel::LogMel(const FrontEndKernels& kernels, LogMelFigures figures, int threads)
    : kernels_(kernels), figures_(std::move(figures)) {
  const int size = figures_.fft_samples;
  int bins = 1;
  for (int m = 0; m < figures_.mel_bins; m++) {
    const size_t at = static_cast<size_t>(m);
    bins = std::max(bins, figures_.first[at] + figures_.count[at]);
  }
  for (int i = 0; i < size; i++) window_.push_back(0.5 - 0.5 * std::cos(2 * kPi * i / size));
  twiddles_ = transform_twiddles<double>(size);
  turns_ = transform_turns<double>(size, bins);
  order_ = transform_order(size);
  tables_ = {size,           bins,          window_.data(),          twiddles_.data(),       order_.data(),
             turns_.data(), figures_.mel_bins, figures_.first.data(), figures_.count.data(), figures_.weights.data()};
  rooms_.resize(static_cast<size_t>(threads));
  for (Room& room : rooms_) {
    room.frames.resize(static_cast<size_t>(kernels.frames) * static_cast<size_t>(size));
    room.scratch.resize(static_cast<size_t>(kernels.frames) * static_cast<size_t>(size + bins));
    room.power.resize(static_cast<size_t>(kernels.frames) * static_cast<size_t>(figures_.mel_bins));
  }
}

// Computes the mel power of frames from `first` on, as many as the kernels take in a call. Frame t is
// centred on sample t · hop; samples outside of the window count as zero.
void LogMel::spread(const Window& window, int first, Spectrogram& result, Room& room) const {
  const int size = figures_.fft_samples, bins = figures_.mel_bins;
  const float* frames[kMostFrames];
  for (int f = 0; f < kernels_.frames; f++) {
    const long start = static_cast<long>(first + f) * figures_.hop_samples - size / 2;
    if (start >= 0 && start + size <= window.length) {
      frames[f] = window.samples + start;
      continue;
    }
    float* padded_frame = room.frames.data() + static_cast<size_t>(f) * static_cast<size_t>(size);
    std::fill_n(padded_frame, size, 0.0f);
    const long from = std::max(start, 0L), to = std::min<long>(start + size, window.length);
    if (from < to) std::copy(window.samples + from, window.samples + to, padded_frame + (from - start));
    frames[f] = padded_frame;
  }
  kernels_.mel_power(tables_, frames, room.scratch.data(), room.power.data());
  const int count = std::min(kernels_.frames, result.frames - first);
  for (int f = 0; f < count; f++) {
    double total = 0;
    double* row = result.power.data() + static_cast<size_t>(first + f) * static_cast<size_t>(bins);
    for (int m = 0; m < bins; m++) {
      row[m] = room.power[static_cast<size_t>(m * kernels_.frames + f)];
      total += row[m];
    }
    result.levels[static_cast<size_t>(first + f)] = decibels_of(total);
  }
}

// Chooses evenly spaced crops, without those that are much quieter than the loudest one.
void LogMel::choose(int window, std::vector<Chosen>& chosen, int& count) const {
  const Spectrogram& from = spectrograms_[static_cast<size_t>(window)];
  std::vector<Chosen> all;
  double loudest = -HUGE_VAL;
  for (int crop = 0; crop < figures_.crops; crop++) {
    const int start = static_cast<int>(static_cast<long>(from.frames) * crop / figures_.crops);
    double level = -HUGE_VAL;
    for (int t = 0; t < std::min(figures_.crop_frames, from.frames); t++) {
      level = std::max(level, from.levels[static_cast<size_t>((start + t) % from.frames)]);
    }
    all.push_back({window, start, level});
    loudest = std::max(loudest, level);
  }
  const size_t before = chosen.size();
  for (const Chosen& crop : all) {
    if (!(crop.level < loudest - figures_.silence_decibels)) chosen.push_back(crop);
  }
  count = static_cast<int>(chosen.size() - before);
}

void LogMel::write_crop(const Chosen& chosen, float* crop) const {
  const Spectrogram& from = spectrograms_[static_cast<size_t>(chosen.window)];
  const size_t bins = static_cast<size_t>(figures_.mel_bins);
  const double scale = 1 / (std::pow(10, chosen.level / 10) + 1e-12);
  const auto row = [&](int t) {
    return from.power.data() + static_cast<size_t>((chosen.start + t) % from.frames) * bins;
  };
  double loudest = 0;
  for (int t = 0; t < std::min(figures_.crop_frames, from.frames); t++) {
    loudest = std::max(loudest, *std::max_element(row(t), row(t) + bins));
  }
  const double top = decibels_of(loudest * scale);
  for (int t = 0; t < figures_.crop_frames; t++, crop += bins) {
    kernels_.decibels(row(t), figures_.mel_bins, scale, top, figures_.range_decibels, crop);
  }
}

const std::vector<float>& LogMel::crops(ThreadPool& pool, const std::vector<Window>& windows, int* counts) {
  std::vector<Chosen> groups;  // window and first frame
  spectrograms_.resize(std::max(spectrograms_.size(), windows.size()));
  std::vector<Window> heard;
  for (size_t w = 0; w < windows.size(); w++) {
    heard.push_back({windows[w].samples, std::min(windows[w].length, figures_.window_samples)});
    Spectrogram& spectrogram = spectrograms_[w];
    spectrogram.frames = 1 + heard[w].length / figures_.hop_samples;
    spectrogram.levels.resize(static_cast<size_t>(spectrogram.frames));
    spectrogram.power.resize(static_cast<size_t>(spectrogram.frames) * static_cast<size_t>(figures_.mel_bins));
    for (int first = 0; first < spectrogram.frames; first += kernels_.frames) {
      groups.push_back({static_cast<int>(w), first, 0});
    }
  }
  pool.run(static_cast<int>(groups.size()), [&](int item, int worker) {
    const Chosen& group = groups[static_cast<size_t>(item)];
    const size_t window = static_cast<size_t>(group.window);
    spread(heard[window], group.start, spectrograms_[window], rooms_[static_cast<size_t>(worker)]);
  });
  std::vector<Chosen> chosen;
  for (size_t w = 0; w < windows.size(); w++) choose(static_cast<int>(w), chosen, counts[w]);
  crops_.resize(chosen.size() * crop_floats());
  pool.run(static_cast<int>(chosen.size()), [&](int item, int) {
    const size_t at = static_cast<size_t>(item);
    write_crop(chosen[at], crops_.data() + at * crop_floats());
  });
  return crops_;
}

}  // namespace earshot
