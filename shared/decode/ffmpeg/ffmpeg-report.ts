/** A sound track of a recording, as ffmpeg lists it. */
export interface FfmpegTrack {
  /** ffmpeg's number for it, among all tracks. */
  readonly index: number;
  /** ffmpeg's name; undefined for one that it does not know. */
  readonly codec: string | undefined;
  /** What the container calls the codec, where it says. */
  readonly tag: string | undefined;
  /** Whether it is meant to be played unless another is asked for. */
  readonly isDefault: boolean;
}

/** ffmpeg's names for what others name by one of its kinds. */
const formatNames: Readonly<Record<string, string>> = {
  mov: 'mp4',
  mpeg: 'mpeg-ps',
  nistsphere: 'sph',
  wv: 'wavpack',
};

/** As many lines are kept for the log; those that only list metadata are not. */
const maxLines = 40;
const maxTracks = 1000;

const inputLine = /^Input #0, ([\w-]+)/;
const startLine = /^ {2}Duration: [^,]*, start: (-?\d+(?:\.\d+)?)/;
const soundLine = /^ {2}Stream #0:(\d+)[^:]*: Audio: (\w+)(.*)$/;
const tagIn = /\((\S{1,40}) \/ 0x[\dA-F]+\)/;

/** What ffmpeg says of its input on its error output, which is where it lists the tracks. */
export class FfmpegReport {
  /** The container; undefined before it is known. */
  format: string | undefined;
  /** Of the earliest track, by the container's clock. */
  startSeconds = 0;
  readonly tracks: FfmpegTrack[] = [];
  /** Whether decoding has begun: everything about the input was said. */
  hasBegun = false;
  /** Whether ffmpeg itself doubts that it knows the container. */
  isGuess = false;
  #lines: string[] = [];

  /** Everything else that it said, the last lines of it. */
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
    // What belongs to several programs is listed with each.
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
 * The tracks worth trying, in this order: those that are on by default first, of known codecs.
 * @param encrypted whether each sound track is, where that is known
 */
export function tracksToTry(tracks: readonly FfmpegTrack[], encrypted: readonly boolean[]): FfmpegTrack[] {
  const clear = tracks.filter(({ codec }, order) => codec !== undefined && encrypted[order] !== true);
  return [...clear.filter(({ isDefault }) => isDefault), ...clear.filter(({ isDefault }) => !isDefault)];
}
