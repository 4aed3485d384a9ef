import type { Response } from 'express';
import { z } from 'zod';
import type { Classification } from '../../../../../shared/contracts/classification';
import { AppError } from '../../../../../shared/errors/app-error';
import { jsonLengthHeader, type InferenceRequest } from './inference-request';
import { modelOutputs, type OutputName } from './inference-models';

const outputSchema = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.int()),
  parameters: z.object({ binary_data_size: z.int() }).optional(),
  data: z.array(z.union([z.string(), z.number()])).optional(),
});
type Output = z.infer<typeof outputSchema>;

export const inferenceAnswerSchema = z.object({
  model_name: z.string(),
  model_version: z.string(),
  id: z.string().optional(),
  outputs: z.array(outputSchema),
});

/** What was said of each recording of a request. */
export type Judged = Pick<Classification, 'model' | 'label' | 'confidence' | 'predictions'>;

interface Asked {
  readonly name: OutputName;
  readonly isBinary: boolean;
}

/**
 * Which outputs a request asks for; looked at before the work is done.
 * @throws AppError malformed-request
 */
export function outputsAsked({ outputs, parameters }: InferenceRequest): Asked[] {
  const usual = parameters.binary_data_output;
  if (outputs === undefined || outputs.length === 0) {
    return modelOutputs.map(({ name }) => ({ name, isBinary: usual }));
  }
  return outputs.map(({ name, parameters: own }) => {
    const known = modelOutputs.find((output) => output.name === name);
    if (known !== undefined) return { name: known.name, isBinary: own?.binary_data ?? usual };
    const names = modelOutputs.map((output) => output.name).join(', ');
    throw new AppError('malformed-request', `There is no such output; there are ${names}.`);
  });
}

/** Sends the outputs, in JSON or behind it. */
export function sendInference(
  res: Response,
  modelName: string,
  request: InferenceRequest,
  judged: readonly Judged[],
): void {
  const tail: Buffer[] = [];
  const outputs = outputsAsked(request).map(({ name, isBinary }): Output => {
    const { shape, values } = valuesOf(name, judged);
    const datatype = typeof values[0] === 'number' ? 'FP32' : 'BYTES';
    if (!isBinary) return { name, datatype, shape, data: values };
    const binary = Buffer.concat(values.map(toBytes));
    tail.push(binary);
    return { name, datatype, shape, parameters: { binary_data_size: binary.byteLength } };
  });
  const answer: z.infer<typeof inferenceAnswerSchema> = {
    model_name: modelName,
    model_version: judged[0]!.model.version,
    id: request.id,
    outputs,
  };
  res.setHeader('Cache-Control', 'no-store');
  if (tail.length === 0) {
    res.json(answer);
    return;
  }
  const json = Buffer.from(JSON.stringify(answer));
  res.setHeader(jsonLengthHeader, String(json.byteLength));
  res.type('application/octet-stream').send(Buffer.concat([json, ...tail]));
}

function valuesOf(
  name: OutputName,
  judged: readonly Judged[],
): { readonly shape: number[]; readonly values: (string | number)[] } {
  const shape = [judged.length];
  const ranked = [judged.length, judged[0]!.predictions.length];
  const predictions = judged.flatMap((one) => one.predictions);
  switch (name) {
    case 'label':
      return { shape, values: judged.map(({ label }) => label) };
    case 'confidence':
      return { shape, values: judged.map(({ confidence }) => confidence) };
    case 'labels':
      return { shape: ranked, values: predictions.map(({ label }) => label) };
    case 'probabilities':
      return { shape: ranked, values: predictions.map(({ probability }) => probability) };
  }
}

/** A float, or a text with its length before it. */
function toBytes(value: string | number): Buffer {
  if (typeof value === 'number') {
    const float = Buffer.alloc(4);
    float.writeFloatLE(value);
    return float;
  }
  const text = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.byteLength);
  return Buffer.concat([length, text]);
}
