// Windows to the crops of a log-mel spectrogram (shared/front-end/log-mel.ts, which is the reference).
#pragma once

#include <vector>

#include "kernels.h"
#include "thread_pool.h"

namespace earshot {

// The front end's figures, checked by whoever reads them.
struct LogMelFigures {
  int fft_samples, hop_samples, window_samples;
  int mel_bins, crop_frames, crops;
  double range_decibels, silence_decibels;
  // The triangles: bins from `first` on, their weights one filter after the other.
  std::vector<int> first, count;
  std::vector<double> weights;
};

// Samples of a window; no more than the front end's are heard.
struct Window {
  const float* samples;
  int length;
};

class LogMel {
 public:
  LogMel(const FrontEndKernels& kernels, LogMelFigures figures, int threads);
  LogMel(const LogMel&) = delete;

  // Crops that each of the windows gives, one after the other, [crop_frames][mel_bins] each.
  // @param counts [windows.size()]: of each window's, written
  // @return valid until the next call
  const std::vector<float>& crops(ThreadPool& pool, const std::vector<Window>& windows, int* counts);

  size_t crop_floats() const {
    return static_cast<size_t>(figures_.crop_frames) * static_cast<size_t>(figures_.mel_bins);
  }

 private:
  // A window's spectrogram: power[frame][mel] and each frame's level in dB.
  struct Spectrogram {
    int frames;
    std::vector<double> power, levels;
  };
  // A crop that is judged.
  struct Chosen {
    int window, start;
    double level;
  };
  // What one thread needs.
  struct Room {
    std::vector<float> frames;  // those that reach beyond their window
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
