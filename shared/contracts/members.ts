import { z } from 'zod';
import { isHead, networkConfigSchema, type NetworkConfig } from './architecture';
import { frontEndSchema, removesOffset, type EncoderFrontEnd, type FrontEnd } from './front-end';

/** The most members that a version has: they are computed for every window. */
const maxMembers = 64;

/** A member of a version: a front end, a network, and weights in the version's file. */
const memberSchema = z.strictObject({
  /** Index into the version's front ends: members with the same one share what it computes. */
  frontEnd: z.int().min(0),
  network: networkConfigSchema,
});

export const frontEndsSchema = z.tuple([frontEndSchema], frontEndSchema);
/**
 * In the order of the weights. A version's answer for a window is the mean over its members of the mean
 * over each member's inputs. Members of several folds come fold after fold, equally many of each.
 */
export const membersSchema = z.tuple([memberSchema], memberSchema);

/** The front ends of a version, at least one; all are computed from windows of one format. */
export type FrontEnds = readonly [FrontEnd, ...FrontEnd[]];

/** What a version computes, its weights aside. */
export interface Composition {
  readonly frontEnds: FrontEnds;
  readonly members: readonly { readonly frontEnd: number; readonly network: NetworkConfig }[];
}

/** What a window is before any front end, the same for all members of a version. */
export interface WindowFormat {
  /** Hz of the mono signal. */
  readonly sampleRate: number;
  /** The length of a window, in seconds: what is judged at once. */
  readonly windowSeconds: number;
  /** Whether a constant offset of the microphone is taken away before. */
  readonly removesOffset: boolean;
}

export function windowFormat({ frontEnds }: Pick<Composition, 'frontEnds'>): WindowFormat {
  return formatOf(frontEnds[0]);
}

function formatOf(frontEnd: FrontEnd): WindowFormat {
  const { sampleRate, windowSeconds } = frontEnd;
  return { sampleRate, windowSeconds, removesOffset: removesOffset(frontEnd) };
}

/** The front end that is a pretrained encoder; a version has one at most. */
export function encoderOf(frontEnds: FrontEnds): EncoderFrontEnd | undefined {
  return frontEnds.find((frontEnd) => frontEnd.kind === 'encoder');
}

/** Whether several classes may be heard at once. */
export function isMultiLabel({ members }: Pick<Composition, 'members'>): boolean {
  return members.some(({ network }) => isTagHead(network));
}

function isTagHead(network: NetworkConfig): boolean {
  return isHead(network) && network.multiLabel === true;
}

/** The architecture of a version's members; of several: `cnn+transformer`. */
export function architectureOf({ members }: Pick<Composition, 'members'>): string {
  return [...new Set(members.map(({ network }) => network.architecture))].join('+');
}

/** The networks of a version that differ, in the order of its members. */
export function distinctNetworks({ members }: Pick<Composition, 'members'>): NetworkConfig[] {
  const known = new Map(members.map(({ network }) => [JSON.stringify(network), network]));
  return [...known.values()];
}

/** What is wrong with a composition whose fields are right one by one; undefined: nothing. */
export function compositionFault({ frontEnds, members }: Composition): string | undefined {
  if (members.length > maxMembers) return `members: ${members.length} are more than ${maxMembers}`;
  const formats = new Set(frontEnds.map((frontEnd) => JSON.stringify(formatOf(frontEnd))));
  if (formats.size > 1) return 'frontEnds: all take windows of one sample rate, length and offset';
  if (new Set(frontEnds.map((frontEnd) => JSON.stringify(frontEnd))).size < frontEnds.length)
    return 'frontEnds: two are equal';
  if (frontEnds.filter(({ kind }) => kind === 'encoder').length > 1)
    return 'frontEnds: more than one is an encoder';
  const used = new Set(members.map(({ frontEnd }) => frontEnd));
  const unknown = [...used].find((index) => index >= frontEnds.length);
  if (unknown !== undefined) return `members: there is no front end ${unknown}`;
  if (used.size < frontEnds.length) return 'frontEnds: one has no member';
  if (members.some(({ network }) => isTagHead(network) !== isTagHead(members[0]!.network)))
    return 'members: some hear several classes at once, others one';
  return undefined;
}
