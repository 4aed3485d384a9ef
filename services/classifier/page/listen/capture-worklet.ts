/** Runs on the audio thread: gathers what the microphone gives, mixed to mono, and hands it on in chunks. */

/* The audio thread's own globals, which the DOM library does not describe. */
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: readonly (readonly Float32Array[])[]): boolean;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** About 21 ms at 48 kHz: short beside what a person notices, long beside the cost of a message. */
const chunkSamples = 1024;

class CaptureProcessor extends AudioWorkletProcessor {
  #chunk = new Float32Array(chunkSamples);
  #filled = 0;

  process([channels = []]: readonly (readonly Float32Array[])[]): boolean {
    const length = channels[0]?.length ?? 0;
    for (let index = 0; index < length; index += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[index]!;
      this.#chunk[this.#filled] = sum / channels.length;
      this.#filled += 1;
      if (this.#filled === chunkSamples) this.#handOver();
    }
    return true;
  }

  #handOver(): void {
    this.port.postMessage(this.#chunk, [this.#chunk.buffer]);
    this.#chunk = new Float32Array(chunkSamples);
    this.#filled = 0;
  }
}

registerProcessor('capture', CaptureProcessor);
