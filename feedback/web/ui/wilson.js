/** Wilson's score interval, as the service computes it (feedback/intervals.py), for days put together. */

const Z = 1.959963984540054;

/** Where the true share is, in 95 of 100 such cases; all from 0 to 1 without an answer. */
export function wilson(positives, count) {
  if (count === 0) return { low: 0, high: 1 };
  const share = positives / count;
  const square = Z * Z;
  const middle = (share + square / (2 * count)) / (1 + square / count);
  const root = Math.sqrt((share * (1 - share)) / count + square / (4 * count * count));
  const half = (Z * root) / (1 + square / count);
  return { low: positives === 0 ? 0 : middle - half, high: positives === count ? 1 : middle + half };
}
