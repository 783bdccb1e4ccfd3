import { expect, test } from 'vitest';

import { half } from '../../src/player/live';

test('float16 values, small ones and signs included', () => {
  expect(half(0x3c00)).toBe(1);
  expect(half(0xc000)).toBe(-2);
  expect(half(0x3555)).toBeCloseTo(1 / 3, 3);
  expect(half(0x0001)).toBeCloseTo(2 ** -24);
  expect(half(0x7c00)).toBe(Infinity);
  expect(half(0x7e00)).toBeNaN();
});
