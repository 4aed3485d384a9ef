import { z } from 'zod';
import { huggingFaceRequestSchema } from '../../body/hugging-face-request';
import { uploadField } from '../../body/upload';

const binary = { schema: { type: 'string', format: 'binary' } };
/** The forms in which a recording is taken. */
export const uploadContent = {
  'multipart/form-data': {
    schema: {
      type: 'object',
      required: [uploadField],
      additionalProperties: false,
      properties: { [uploadField]: { type: 'string', format: 'binary' } },
    },
  },
  'application/octet-stream': binary,
  'audio/*': binary,
  'application/json': { schema: z.toJSONSchema(huggingFaceRequestSchema, { io: 'input' }) },
};
