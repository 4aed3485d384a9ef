/** What was found in the bytes of a recording. */
export interface SourceFormat {
  /** Container, sniffed from the content: `wav`, `flac`, `mp3`, `ogg`, `mp4`, `webm`, … */
  readonly format: string;
  /** Codec within it: `pcm_s16le`, `alaw`, `vorbis`, `opus`, … */
  readonly codec: string;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly durationSeconds: number;
}

/** A recording, decoded, mixed to mono and resampled: the form in which sound enters everything else. */
export interface Clip {
  readonly source: SourceFormat;
  /** Hz of `samples`. */
  readonly sampleRate: number;
  /** Mono, nominally in [−1, 1]. */
  readonly samples: Float32Array;
  /** What whoever sent the recording should know of it: sentences. */
  readonly warnings: readonly string[];
}

export interface DecodeRequest {
  /** Hz of the wanted clip. */
  readonly sampleRate: number;
  /** A recording longer than this is refused with `clip-too-long`, before it is decoded whole. */
  readonly maxSeconds: number;
  /** Whether a constant offset is taken away, as `removesOffset` says of a front end; no unless given. */
  readonly removeOffset?: boolean | undefined;
  /** The recording's bytes are not needed any more: they are moved to whoever decodes instead of copied, where they have a buffer to themselves. */
  readonly consume?: boolean;
  /** Where the clip may be put, if it fits. */
  readonly memory?: ArrayBuffer | undefined;
  /** On whose account: where several wait, callers take turns. */
  readonly caller?: string;
  /** Nobody waits for the clip. */
  readonly isBackground?: boolean;
  readonly signal?: AbortSignal;
  /** Told of a process that decodes it, as soon as that has started. */
  readonly onChild?: (pid: number) => void;
  /** Looked at between two frames: whether the recording is not wanted any more, where a thread hears of no signal while it works. */
  readonly isCancelled?: () => boolean;
}

/** Decodes off the calling thread. Rejects with an AppError: unsupported-media, undecodable-audio, empty-audio, non-finite-audio, clip-too-long, cancelled. */
export interface ClipDecoder {
  decode(
    bytes: Uint8Array,
    request: Omit<DecodeRequest, 'memory' | 'onChild' | 'isCancelled'>,
  ): Promise<Clip>;
  /** Nobody looks at the clip any more, nor at a part of it: later ones may be put where it is. */
  recycle(clip: Clip): void;
  close(): Promise<void>;
}
