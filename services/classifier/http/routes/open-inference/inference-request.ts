import type { Request } from 'express';
import { z } from 'zod';
import { AppError } from '../../../../../shared/errors/app-error';
import type { UploadLimits } from '../../body/bounded-body';
import { readAll, readBody, type BodyReading } from '../../body/read-body';
import { hasBody } from '../../body/unread-body';
import { parseInput } from '../../routing/parse-input';

/** Says how many bytes of a body are JSON; tensors follow as they are in memory. */
export const jsonLengthHeader = 'Inference-Header-Content-Length';

const maxTopK = 1000;

const inputSchema = z.strictObject({
  name: z.string(),
  shape: z.array(z.int().min(0)).min(1).max(2),
  datatype: z.string(),
  parameters: z
    .strictObject({
      binary_data_size: z.int().min(0).optional().describe('Its bytes behind the JSON'),
      content_type: z.literal('base64').optional().describe('Of BYTES in `data`'),
    })
    .optional(),
  data: z.array(z.unknown()).optional().describe('Row after row, flat or nested'),
});
export type InputTensor = z.infer<typeof inputSchema>;

/** The JSON of a request. What would change the answer and is not known is refused. */
export const inferenceRequestSchema = z.strictObject({
  id: z.string().max(200).optional().describe('Comes back in the answer'),
  inputs: z.array(inputSchema).length(1),
  outputs: z
    .array(
      z.strictObject({
        name: z.string(),
        parameters: z.strictObject({ binary_data: z.boolean().optional() }).optional(),
      }),
    )
    .max(16)
    .optional()
    .describe('All unless given'),
  parameters: z
    .strictObject({
      top_k: z.int().min(1).max(maxTopK).default(5).describe('How many classes to name'),
      sample_rate: z.int().min(4000).max(1_000_000).optional().describe('Hz of `samples`; the model’s own'),
      binary_data_output: z.boolean().default(false),
      priority: z.unknown().optional().describe('Passed over'),
      timeout: z.unknown().optional().describe('Passed over; `X-Request-Timeout` is the header for it'),
    })
    .prefault({}),
});
type InferenceJson = z.infer<typeof inferenceRequestSchema>;

export interface InferenceRequest extends InferenceJson {
  /** Behind the JSON. */
  readonly binary: Buffer;
  readonly lengthBytes: number;
}

const maxJsonBytes = 4 * 1024 * 1024;
/** Parsing holds up everybody, and takes time with the number of values: these take about 0.1 s. */
const maxValues = 400_000;
/** Arrays and objects take far longer to parse than numbers; `data` needs one for each of its rows. */
const maxBrackets = 1000;

/**
 * Reads a request of the Open Inference Protocol.
 * @throws AppError malformed-request, payload-too-large; what reading the body throws
 */
export async function readInferenceRequest(req: Request, reading: BodyReading): Promise<InferenceRequest> {
  if (!hasBody(req)) throw wrong('The body is empty.');
  const bytes = await readBody(req, reading, maxJsonBytes, readAll);
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const jsonBytes = jsonLengthOf(req, body.byteLength);
  const json = parseJson(body.subarray(0, jsonBytes));
  const binary = body.subarray(jsonBytes);
  assertSize(binary, reading.limits);
  const parsed = parseInput(inferenceRequestSchema, json, 'body');
  return { ...parsed, binary, lengthBytes: body.byteLength };
}

function jsonLengthOf(req: Request, bodyBytes: number): number {
  const given = req.get(jsonLengthHeader);
  if (given === undefined) return bodyBytes;
  const length = /^\d{1,9}$/.test(given) ? Number(given) : NaN;
  if (length <= bodyBytes) return length;
  throw wrong(`${jsonLengthHeader} is not the number of bytes of the JSON in this body.`);
}

function assertSize({ byteLength }: Buffer, { maxBytes }: UploadLimits): void {
  if (byteLength <= maxBytes) return;
  throw new AppError('payload-too-large', `The tensors are larger than ${maxBytes} bytes.`, {
    details: { maxBytes },
  });
}

function parseJson(text: Buffer): unknown {
  if (text.byteLength > maxJsonBytes) {
    throw wrong(`The JSON is larger than ${maxJsonBytes} bytes: send the tensor as binary data behind it.`);
  }
  let brackets = 0;
  let commas = 0;
  for (const byte of text) {
    if (byte === 0x5b || byte === 0x7b) brackets++;
    else if (byte === 0x2c) commas++;
  }
  if (commas > maxValues) {
    throw wrong(`The JSON has more than ${maxValues} values: send the tensor as binary data.`);
  }
  if (brackets > maxBrackets) {
    throw wrong(`The JSON has more than ${maxBrackets} arrays and objects: send the tensor as binary data.`);
  }
  try {
    return JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw new AppError('malformed-request', 'The body does not begin with JSON as the protocol has it.', {
      cause,
    });
  }
}

function wrong(what: string): AppError {
  return new AppError('malformed-request', what);
}
