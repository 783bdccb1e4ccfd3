import { expect, test } from 'vitest';

import { fromPlan, pathOf, placeAt, toPlan } from '../../src/body/scene';

test('a place in the top view and its direction are inverse', () => {
  for (const place of [{ azimuth: 90, distance: 2 }, { azimuth: -135, distance: 1.5 }, { azimuth: 0, distance: 4 }]) {
    expect(fromPlan(...toPlan(place))).toEqual(place);
  }
  expect(toPlan({ azimuth: 90, distance: 1 })[0]).toBeCloseTo(1); // the figure's left is on the right
  expect(fromPlan(0, 0.01).distance).toBe(0.5);
});

test('a stroke becomes a path over the length of the sound', () => {
  const path = pathOf([[2, 0], [0, 2], [-2, 0]], 4);
  expect(path.map(({ t }) => t)).toEqual([0, 2, 4]);
  expect(path.map(({ azimuth }) => azimuth)).toEqual([90, 0, -90]);
  const [x, y] = placeAt(path, 1);
  expect([x, y]).toEqual([expect.closeTo(1), expect.closeTo(1)]);
  expect(placeAt(path, 99)[0]).toBeCloseTo(-2);
  expect(pathOf(Array.from({ length: 1000 }, (_, i) => [i / 100, 1]), 10).length).toBeLessThanOrEqual(121);
});
