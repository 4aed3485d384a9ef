/** An audio track of a recording, as listed by ffmpeg. */
export interface FfmpegTrack {
  /** ffmpeg's index among all tracks. */
  readonly index: number;
  /** ffmpeg's name; undefined for an unknown codec. */
  readonly codec: string | undefined;
  /** The container's name for the codec, if any. */
  readonly tag: string | undefined;
  /** Whether it is played unless the user selects another. */
  readonly isDefault: boolean;
}

/** Common names for formats that ffmpeg names by a family. */
const formatNames: Readonly<Record<string, string>> = {
  mov: 'mp4',
  mpeg: 'mpeg-ps',
  nistsphere: 'sph',
  wv: 'wavpack',
};

/** Number of lines that are kept for the log, without those that only list metadata. */
const maxLines = 40;
const maxTracks = 1000;

const inputLine = /^Input #0, ([\w-]+)/;
const startLine = /^ {2}Duration: [^,]*, start: (-?\d+(?:\.\d+)?)/;
const soundLine = /^ {2}Stream #0:(\d+)[^:]*: Audio: (\w+)(.*)$/;
const tagIn = /\((\S{1,40}) \/ 0x[\dA-F]+\)/;

/** Parses ffmpeg's standard error, which lists the input and its tracks. */
export class FfmpegReport {
  /** The container; undefined before it is known. */
  format: string | undefined;
  /** Start of the earliest track by the container's clock. */
  startSeconds = 0;
  readonly tracks: FfmpegTrack[] = [];
  /** Whether decoding has begun; the description of the input is complete then. */
  hasBegun = false;
  /** Whether ffmpeg reports that its detection of the container is uncertain. */
  isGuess = false;
  #lines: string[] = [];

  /** The last lines of all other output. */
  get text(): string {
    return this.#lines.join('\n');
  }

  note(line: string): void {
    if (!this.hasBegun) this.#noteInput(line);
    if (line.startsWith(' ')) return;
    this.#lines.push(line);
    if (this.#lines.length > maxLines) this.#lines.shift();
  }

  #noteInput(line: string): void {
    if (line.startsWith('Stream mapping:')) this.hasBegun = true;
    if (line.includes('misdetection possible')) this.isGuess = true;
    const [, name] = inputLine.exec(line) ?? [];
    if (name !== undefined) this.format ??= formatNames[name] ?? name;
    const [, start] = startLine.exec(line) ?? [];
    if (start !== undefined) this.startSeconds = Number(start);
    this.#noteTrack(line);
  }

  #noteTrack(line: string): void {
    const [, number, codec, more = ''] = soundLine.exec(line) ?? [];
    const index = Number(number);
    // A track of several programs is listed for each.
    if (codec === undefined || this.tracks.length === maxTracks || this.#knows(index)) return;
    this.tracks.push({
      index,
      codec: codec === 'none' ? undefined : codec,
      tag: tagIn.exec(more)?.[1],
      isDefault: more.includes('(default)'),
    });
  }

  #knows(index: number): boolean {
    return this.tracks.some((track) => track.index === index);
  }
}

/**
 * Returns the tracks to try, in order: default tracks first, and only known codecs.
 * @param encrypted whether each audio track is encrypted, where known
 */
export function tracksToTry(tracks: readonly FfmpegTrack[], encrypted: readonly boolean[]): FfmpegTrack[] {
  const clear = tracks.filter(({ codec }, order) => codec !== undefined && encrypted[order] !== true);
  return [...clear.filter(({ isDefault }) => isDefault), ...clear.filter(({ isDefault }) => !isDefault)];
}
