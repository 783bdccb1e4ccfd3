/** Curves of a take: named channels, sampled at a fixed rate. */
export interface Curves {
  readonly fps: number;
  readonly frames: number;
  readonly channels: readonly string[];
  /** Frame-major: value of channel c at frame f is `values[f * channels.length + c]`. */
  readonly values: Float32Array;
  /** The frame at a time in seconds, linear between frames, held at the ends. */
  at(seconds: number, into?: Float32Array): Float32Array;
}

/** Curves from values that are already unpacked. */
export function curvesOf(fps: number, channels: readonly string[], values: Float32Array): Curves {
  const width = channels.length;
  const frames = values.length / width;
  const at = (seconds: number, into = new Float32Array(width)) => {
    const position = Math.min(Math.max(seconds * fps, 0), frames - 1);
    const first = Math.floor(position);
    const share = position - first;
    const start = first * width;
    const next = Math.min(first + 1, frames - 1) * width;
    for (let c = 0; c < width; c++) {
      const value = values[start + c]!;
      into[c] = value + share * (values[next + c]! - value);
    }
    return into;
  };
  return { fps, frames, channels, values, at };
}

/**
 * Read the answer of `/api/takes/ID/curves`: length of the header (uint32, little endian), the
 * header as JSON, then float32 values, frame by frame.
 *
 * @throws RangeError when the bytes are cut short.
 */
export function curves(buffer: ArrayBuffer): Curves {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as {
    fps: number;
    frames: number;
    channels: (string | { name?: string })[];
  };
  const names = header.channels.map((c) => (typeof c === 'string' ? c : (c.name ?? '')));
  const count = (buffer.byteLength - 4 - length) / 4;
  if (!header.frames || count % header.frames) {
    throw new RangeError(`${count} values are no ${header.frames} whole frames`);
  }
  // The header has any length, so the values need not lie on a multiple of 4 bytes: copy them.
  const values = new Float32Array(buffer.slice(4 + length));
  const width = count / header.frames;
  while (names.length < width) names.push(''); // channels of several values, such as rotations
  return curvesOf(header.fps, names.slice(0, width), values);
}
