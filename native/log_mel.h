// Computes the crops of the log-mel spectrograms of windows. The reference is
// shared/front-end/log-mel.ts.
#pragma once

#include <vector>

#include "kernels.h"
#include "thread_pool.h"

namespace earshot {

// Parameters of the front end. read_log_mel (ensemble_object.h) has checked them.
struct LogMelFigures {
  int fft_samples, hop_samples, window_samples;
  int mel_bins, crop_frames, crops;
  double range_decibels, silence_decibels;
  // Triangular filters: the first bin and the number of bins of each, and the weights, filter after
  // filter.
  std::vector<int> first, count;
  std::vector<double> weights;
};

// The samples of a window. Those beyond the front end's window length are ignored.
struct Window {
  const float* samples;
  int length;
};

class LogMel {
 public:
  LogMel(const FrontEndKernels& kernels, LogMelFigures figures, int threads);
  LogMel(const LogMel&) = delete;

  // Computes the crops of windows.
  // @param counts [windows.size()], receives the number of crops of each window
  // @return all crops, window after window, [crop_frames][mel_bins] each; valid until the next call
  const std::vector<float>& crops(ThreadPool& pool, const std::vector<Window>& windows, int* counts);

  size_t crop_floats() const {
    return static_cast<size_t>(figures_.crop_frames) * static_cast<size_t>(figures_.mel_bins);
  }

 private:
  // A window's mel power spectrogram [frame][mel bin], and the level of each frame in dB.
  struct Spectrogram {
    int frames;
    std::vector<double> power, levels;
  };
  // A crop: its window, its first frame, and its level in dB.
  struct Chosen {
    int window, start;
    double level;
  };
  // Memory of one thread.
  struct Room {
    std::vector<float> frames;  // copies of frames that reach beyond their window
    std::vector<double> scratch, power;
  };

  void spread(const Window& window, int first, Spectrogram& result, Room& room) const;
  void choose(int window, std::vector<Chosen>& chosen, int& count) const;
  void write_crop(const Chosen& chosen, float* crop) const;

  const FrontEndKernels& kernels_;
  const LogMelFigures figures_;
  std::vector<double> window_, twiddles_, turns_;
  std::vector<int> order_;
  SpectrumTables tables_;
  std::vector<Spectrogram> spectrograms_;
  std::vector<Room> rooms_;
  std::vector<float> crops_;
};

}  // namespace earshot
