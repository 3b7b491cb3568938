/**
 * Do accelerometer and gyroscope tell the same story? While a board turns, its gyroscope says by how much, and gravity must turn
 * the other way in the accelerometer. The angular rate is integrated to an orientation (a quaternion, exact for a rate that is
 * constant over a sample), every acceleration is turned into the frame of the window's start, and there gravity stands still:
 *   tilt = ln( angle between the mean of the window's first half and that of its second + 0.01 ), radians
 * Own movement averages out over half a window as far as it is periodic; what stays is the usual tilt of that activity.
 * Both sensors must share their axes. The measure cannot tell which of the two is wrong: see `quality-judge.ts` for whom it blames.
 * Source: strapdown attitude integration, any textbook of inertial navigation.
 */

/** One modality's window. */
export interface TiltInput {
  /** `[T, 3]` row-major, in physical units; not changed. */
  readonly values: Float32Array;
  readonly sampleRateHz: number;
}

/**
 * @param acceleration in any unit
 * @param rotation in rad/s
 * @returns ln(radians + 0.01), in [−4.61, 1.15]; NaN when there is no acceleration to speak of (free fall, empty reads)
 */
export function measureTilt(acceleration: TiltInput, rotation: TiltInput): number {
  const turned = halves(acceleration, orientations(rotation), rotation.sampleRateHz);
  const [first, second] = [turned.subarray(0, 3), turned.subarray(3, 6)];
  const lengths = Math.hypot(...first) * Math.hypot(...second);
  if (lengths < 1e-9) return Number.NaN;
  const cosine = dot(first, second) / lengths;
  return Math.log(Math.acos(Math.min(1, Math.max(-1, cosine))) + 0.01);
}

/** `[T, 4]` quaternions (w, x, y, z) that turn board coordinates at sample t into those at sample 0. */
function orientations({ values, sampleRateHz }: TiltInput): Float64Array {
  const samples = values.length / 3;
  const out = new Float64Array(4 * samples);
  let [w, x, y, z] = [1, 0, 0, 0];
  out[0] = 1;
  for (let t = 1; t < samples; t++) {
    const at = 3 * (t - 1);
    const [rateX, rateY, rateZ] = [values[at] as number, values[at + 1] as number, values[at + 2] as number];
    const rate = Math.sqrt(rateX * rateX + rateY * rateY + rateZ * rateZ);
    const half = (0.5 * rate) / sampleRateHz;
    const c = Math.cos(half);
    const s = rate > 0 ? Math.sin(half) / rate : 0;
    const [dx, dy, dz] = [s * rateX, s * rateY, s * rateZ];
    [w, x, y, z] = [
      w * c - x * dx - y * dy - z * dz,
      w * dx + x * c + y * dz - z * dy,
      w * dy - x * dz + y * c + z * dx,
      w * dz + x * dy - y * dx + z * c,
    ];
    out.set([w, x, y, z], 4 * t);
  }
  return out;
}

/** `[2, 3]` sums of the turned accelerations over the first and the second half of the window. */
function halves({ values, sampleRateHz }: TiltInput, turns: Float64Array, turnRateHz: number): Float64Array {
  const samples = values.length / 3;
  const last = turns.length / 4 - 1;
  const sums = new Float64Array(6);
  for (let t = 0; t < samples; t++) {
    const at = 4 * Math.min(last, Math.round((t * turnRateHz) / sampleRateHz));
    const [w, x, y, z] = [
      turns[at] as number,
      turns[at + 1] as number,
      turns[at + 2] as number,
      turns[at + 3] as number,
    ];
    const [a, b, c] = [values[3 * t] as number, values[3 * t + 1] as number, values[3 * t + 2] as number];
    // v' = v + 2w (q × v) + 2 q × (q × v)
    const [u, v, n] = [y * c - z * b, z * a - x * c, x * b - y * a];
    const to = 2 * t < samples ? 0 : 3;
    sums[to] = (sums[to] as number) + a + 2 * (w * u + y * n - z * v);
    sums[to + 1] = (sums[to + 1] as number) + b + 2 * (w * v + z * u - x * n);
    sums[to + 2] = (sums[to + 2] as number) + c + 2 * (w * n + x * v - y * u);
  }
  return sums;
}

function dot(a: Float64Array, b: Float64Array): number {
  return (
    (a[0] as number) * (b[0] as number) + (a[1] as number) * (b[1] as number) + (a[2] as number) * (b[2] as number)
  );
}
