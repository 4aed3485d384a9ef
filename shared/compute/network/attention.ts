import * as tf from '@tensorflow/tfjs-core';

/**
 * Scores held at once. 2,251 tokens squared, times heads and batch, would be gigabytes; a slice of the
 * queries of a slice of the batch at a time stays near the cache and bounds the memory of a step.
 */
const scoresPerChunk = 8 * 1024 * 1024;

/**
 * softmax(q kᵀ / √w) v without ever holding the whole [B, heads, Tq, Tk] matrix: queries are taken in
 * chunks, and the gradient computes each chunk's probabilities anew from q and k (Rabe and Staats 2021,
 * "Self-attention does not need O(n²) memory"; the backward formulas are FlashAttention's, Dao et al.
 * 2022, appendix B).
 *
 * @param query [B, heads, Tq, w]
 * @param key [B, heads, Tk, w]
 * @param value [B, heads, Tk, w]
 * @returns [B, heads, Tq, w]
 */
export function attention(query: tf.Tensor4D, key: tf.Tensor4D, value: tf.Tensor4D): tf.Tensor4D {
  const scale = 1 / Math.sqrt(query.shape[3]);
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [q, k, v, save] = args as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    const output = attentionForward(tf.mul(q, scale), k, v);
    save([q, k, v, output]);
    const gradFunc = (gradient: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [q, k, v, output] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
      return attentionBackward(q, k, v, output, gradient as tf.Tensor4D, scale);
    };
    return { value: output, gradFunc };
  });
  return operation(query, key, value);
}

interface Chunk {
  /** First clip and number of clips. */
  readonly batch: readonly [start: number, size: number];
  readonly queries: readonly [start: number, size: number];
}

/** Slices of the batch, each with its slices of the queries. */
function chunksOf([batch, heads, queries]: readonly number[], keys: number): Chunk[][] {
  const rowScores = heads! * keys;
  const batchSize = Math.max(1, Math.min(batch!, Math.floor(scoresPerChunk / (rowScores * 64))));
  const querySize = Math.max(1, Math.floor(scoresPerChunk / (rowScores * batchSize)));
  return spans(batch!, batchSize).map((batchSpan) =>
    spans(queries!, querySize).map((querySpan) => ({ batch: batchSpan, queries: querySpan })),
  );
}

function spans(total: number, size: number): (readonly [number, number])[] {
  const count = Math.ceil(total / size);
  return Array.from({ length: count }, (_, index) => {
    const start = index * size;
    return [start, Math.min(size, total - start)] as const;
  });
}

function take(tensor: tf.Tensor4D, { batch, queries }: Chunk): tf.Tensor4D {
  const [, heads, , width] = tensor.shape;
  return tf.slice(tensor, [batch[0], 0, queries[0], 0], [batch[1], heads, queries[1], width]);
}

function takeBatch(tensor: tf.Tensor4D, [start, size]: Chunk['batch']): tf.Tensor4D {
  const [, heads, rows, width] = tensor.shape;
  return tf.slice(tensor, [start, 0, 0, 0], [size, heads, rows, width]);
}

function attentionForward(scaledQuery: tf.Tensor4D, key: tf.Tensor4D, value: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => {
    const rows = chunksOf(scaledQuery.shape, key.shape[2]).map((chunks) =>
      tf.tidy(() => {
        const k = takeBatch(key, chunks[0]!.batch);
        const v = takeBatch(value, chunks[0]!.batch);
        const parts = chunks.map((chunk) =>
          tf.tidy(() => tf.matMul(tf.softmax(tf.matMul(take(scaledQuery, chunk), k, false, true)), v)),
        );
        return tf.concat(parts, 2);
      }),
    );
    return tf.concat(rows, 0) as tf.Tensor4D;
  });
}

/** @returns the gradients of query, key and value */
function attentionBackward(
  query: tf.Tensor4D,
  key: tf.Tensor4D,
  value: tf.Tensor4D,
  output: tf.Tensor4D,
  gradient: tf.Tensor4D,
  scale: number,
): tf.Tensor4D[] {
  return tf.tidy(() => {
    const scaledQuery = tf.mul<tf.Tensor4D>(query, scale);
    // Σⱼ Pᵢⱼ dPᵢⱼ = dOᵢ · Oᵢ, the term that softmax's gradient subtracts.
    const correction = tf.sum<tf.Tensor4D>(tf.mul(gradient, output), -1, true);
    const rows = chunksOf(query.shape, key.shape[2]).map((chunks) =>
      tf.tidy(() => {
        const k = takeBatch(key, chunks[0]!.batch);
        const v = takeBatch(value, chunks[0]!.batch);
        const queryParts: tf.Tensor[] = [];
        let keyGradient: tf.Tensor = tf.zerosLike(k);
        let valueGradient: tf.Tensor = tf.zerosLike(v);
        for (const chunk of chunks) {
          const parts = tf.tidy(() => {
            const q = take(scaledQuery, chunk);
            const dOut = take(gradient, chunk);
            const probabilities = tf.softmax(tf.matMul(q, k, false, true));
            const centred = tf.sub(tf.matMul(dOut, v, false, true), take(correction, chunk));
            const dScores = tf.mul<tf.Tensor4D>(probabilities, centred);
            return [
              tf.matMul(dScores, k),
              tf.add(keyGradient, tf.matMul(dScores, q, true, false)),
              tf.add(valueGradient, tf.matMul(probabilities, dOut, true, false)),
            ] as const;
          });
          tf.dispose([keyGradient, valueGradient]);
          queryParts.push(parts[0]);
          [, keyGradient, valueGradient] = parts;
        }
        return [tf.concat(queryParts, 2), keyGradient, valueGradient] as [tf.Tensor, tf.Tensor, tf.Tensor];
      }),
    );
    const join = (index: 0 | 1 | 2): tf.Tensor4D =>
      tf.concat(
        rows.map((row) => row[index]),
        0,
      ) as tf.Tensor4D;
    return [tf.mul(join(0), scale), join(1), join(2)];
  });
}
