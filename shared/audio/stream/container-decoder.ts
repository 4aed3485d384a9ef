import { OpusDecoder } from 'opus-decoder';
import { AppError } from '../../errors/app-error';
import { hasTextAt } from '../bytes';
import { damaged } from '../damaged';
import { concatenate } from '../concatenate';
import { mixToMono } from '../mono';
import { createOggDemuxer } from './ogg-demuxer';
import type { OpusDemuxer, OpusPiece } from './opus-demuxer';
import { parseOpusHead, type OpusHead } from './opus-head';
import { opusPacketSamples } from './opus-packet';
import type { Piece, StreamDecoder } from './stream-decoder';
import { createWebmDemuxer, isWebm } from './webm-demuxer';

const opusRate = 48_000;
/** Packets decoded at a time: at most 0.5 s of sound. */
const pieceSamples = opusRate / 2;

interface OpusStream {
  readonly decoder: OpusDecoder;
  /** Samples still to be left out at the start. */
  skip: number;
}

/** WebM or Ogg with Opus, told apart by its first bytes, decoded by libopus as it comes. */
export function createContainerDecoder(): StreamDecoder {
  let demuxer: OpusDemuxer | undefined;
  let start = new Uint8Array(0);
  let stream: OpusStream | undefined;

  function recognise(bytes: Uint8Array): OpusDemuxer | undefined {
    if (bytes.length < 4) return undefined;
    if (hasTextAt(bytes, 0, 'OggS')) return createOggDemuxer();
    if (isWebm(bytes)) return createWebmDemuxer();
    throw new AppError(
      'unsupported-media',
      'This is neither WebM nor Ogg; a stream in a container is taken with Opus in one of these.',
    );
  }

  function free(): void {
    stream?.decoder.free();
    stream = undefined;
  }

  async function open(head: OpusHead): Promise<void> {
    free();
    const { channels, streamCount, coupledStreamCount, channelMappingTable } = head;
    const decoder = new OpusDecoder({
      channels,
      streamCount,
      coupledStreamCount,
      channelMappingTable: [...channelMappingTable],
    });
    await decoder.ready;
    stream = { decoder, skip: head.preSkip };
  }

  /** Mono sound of one packet, without what is not to be played. */
  function decode(packet: Uint8Array, discardSamples: number): Float32Array {
    if (stream === undefined) throw damaged('Opus', 0, 'a packet comes before its header');
    if (opusPacketSamples(packet) === undefined) throw damaged('Opus', 0, 'a packet is not well-formed');
    const { channelData, samplesDecoded, errors } = stream.decoder.decodeFrame(packet);
    const [error] = errors;
    if (error !== undefined) throw damaged('Opus', 0, `a packet cannot be decoded (${error.message})`);
    const from = Math.min(stream.skip, samplesDecoded);
    stream.skip -= from;
    const to = Math.max(from, samplesDecoded - discardSamples);
    return mixToMono(channelData.map((channel) => channel.slice(from, to)));
  }

  function* silence(samples: number): Generator<Piece> {
    for (let left = samples; left > 0; left -= pieceSamples) {
      yield { sampleRate: opusRate, samples: new Float32Array(Math.min(left, pieceSamples)) };
    }
  }

  async function* play(pieces: Iterable<OpusPiece>): AsyncGenerator<Piece, void, undefined> {
    let ready: Float32Array[] = [];
    let samples = 0;
    const flush = (): Piece => {
      const piece = { sampleRate: opusRate, samples: concatenate(ready, samples) };
      ready = [];
      samples = 0;
      return piece;
    };
    for (const piece of pieces) {
      if (piece.kind === 'packet') {
        const sound = decode(piece.packet, piece.discardSamples);
        ready.push(sound);
        samples += sound.length;
        if (samples >= pieceSamples) yield flush();
        continue;
      }
      if (samples > 0) yield flush();
      if (piece.kind === 'hole') {
        yield* silence(piece.samples);
        continue;
      }
      if (piece.kind === 'head') await open(parseOpusHead(piece.head));
      else free();
    }
    if (samples > 0) yield flush();
  }

  return {
    async *push(bytes) {
      if (demuxer !== undefined) {
        yield* play(demuxer.push(bytes));
        return;
      }
      const all = new Uint8Array(start.length + bytes.length);
      all.set(start);
      all.set(bytes, start.length);
      start = all;
      demuxer = recognise(all);
      if (demuxer !== undefined) yield* play(demuxer.push(all));
    },
    async *finish() {
      if (demuxer !== undefined) yield* play(demuxer.finish());
    },
    close: free,
  };
}
