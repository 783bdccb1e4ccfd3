import { describe, expect, test } from 'vitest';

import { curves, curvesOf } from '../../src/player/curves';

function packed(header: object, values: number[]): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const buffer = new ArrayBuffer(4 + text.length + 4 * values.length);
  const view = new DataView(buffer);
  view.setUint32(0, text.length, true);
  new Uint8Array(buffer).set(text, 4);
  values.forEach((value, i) => view.setFloat32(4 + text.length + 4 * i, value, true));
  return buffer;
}

describe('curves', () => {
  test('reads names and values whatever the length of the header', () => {
    for (const padding of ['', ' ', 'xx', 'xxx']) {
      const header = { fps: 25, frames: 2, padding, channels: [{ name: 'jawOpen' }, { name: 'head.x' }] };
      const read = curves(packed(header, [0, 1, 0.5, -1]));
      expect(read.channels).toEqual(['jawOpen', 'head.x']);
      expect([...read.values]).toEqual([0, 1, 0.5, -1]);
    }
  });

  test('refuses values that are cut short', () => {
    expect(() => curves(packed({ fps: 25, frames: 2, channels: ['a', 'b'] }, [1, 2, 3]))).toThrow(RangeError);
  });

  test('a channel of several values widens the frame', () => {
    const header = { fps: 25, frames: 1, channels: [{ kind: 'rotation', size: 4 }] };
    expect(curves(packed(header, [0, 0, 0, 1])).at(0)).toHaveLength(4);
  });

  test('is linear between frames and held at both ends', () => {
    const take = curvesOf(10, ['a'], Float32Array.of(0, 1, 3));
    expect(take.at(-1)[0]).toBe(0);
    expect(take.at(0.05)[0]).toBeCloseTo(0.5);
    expect(take.at(0.15)[0]).toBeCloseTo(2);
    expect(take.at(9)[0]).toBe(3);
  });
});
