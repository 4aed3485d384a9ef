/** Runs on the audio thread: mixes the microphone's channels to mono and posts the samples in chunks. */

/* Globals of the audio thread that TypeScript's DOM library does not declare. */
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: readonly (readonly Float32Array[])[]): boolean;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/**
 * Samples in a chunk, about 21 ms at 48 kHz: too short to be noticed, long enough to need few messages.
 */
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
      if (this.#filled === chunkSamples) this.#postChunk();
    }
    return true;
  }

  #postChunk(): void {
    this.port.postMessage(this.#chunk, [this.#chunk.buffer]);
    this.#chunk = new Float32Array(chunkSamples);
    this.#filled = 0;
  }
}

registerProcessor('capture', CaptureProcessor);
