/** What was detected in the bytes of a recording. */
export interface SourceFormat {
  /** Container, detected from the content: `wav`, `flac`, `mp3`, `ogg`, `mp4`, `webm`, … */
  readonly format: string;
  /** Codec: `pcm_s16le`, `alaw`, `vorbis`, `opus`, … */
  readonly codec: string;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly durationSeconds: number;
}

/** A decoded recording, mixed to mono and resampled. All later processing starts from clips. */
export interface Clip {
  readonly source: SourceFormat;
  /** Hz of `samples`. */
  readonly sampleRate: number;
  /** Mono, nominally in [−1, 1]. */
  readonly samples: Float32Array;
  /** Warnings for the sender of the recording, as sentences. */
  readonly warnings: readonly string[];
}

export interface DecodeRequest {
  /** Sample rate of the resulting clip, Hz. */
  readonly sampleRate: number;
  /** A longer recording is refused with `clip-too-long`, before it is decoded completely. */
  readonly maxSeconds: number;
  /**
   * Whether a constant offset is removed, as `removesOffset` states for a front end; false by default.
   */
  readonly removeOffset?: boolean | undefined;
  /**
   * The caller no longer needs the bytes: they may be transferred to the decoder instead of copied, if
   * they own their buffer.
   */
  readonly consume?: boolean;
  /** A buffer for the samples of the clip, used if it is large enough. */
  readonly memory?: ArrayBuffer | undefined;
  /** The caller for round-robin scheduling. */
  readonly caller?: string;
  /** Whether no caller waits for the clip. */
  readonly isBackground?: boolean;
  readonly signal?: AbortSignal;
  /** Called when a process that decodes the recording has started. */
  readonly onChild?: (pid: number) => void;
  /** Checked between two frames on a thread, where `signal` cannot be observed during the work. */
  readonly isCancelled?: () => boolean;
}

/**
 * Decodes on other threads. Rejects with an AppError: unsupported-media, undecodable-audio, empty-audio,
 * non-finite-audio, clip-too-long, cancelled.
 */
export interface ClipDecoder {
  decode(
    bytes: Uint8Array,
    request: Omit<DecodeRequest, 'memory' | 'onChild' | 'isCancelled'>,
  ): Promise<Clip>;
  /** Discards a clip and allows its memory to be reused; no part of it may be in use. */
  recycle(clip: Clip): void;
  /**
   * To be called when a clip is no longer needed, unless it was recycled: until then it may count as
   * memory in use. Further calls do nothing.
   */
  discard(clip: Clip): void;
  close(): Promise<void>;
}
