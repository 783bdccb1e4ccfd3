import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { curvesOf } from '../../src/player/curves';
import { bothSides, edited, type Layer } from '../../src/take/edits';
import { groupOf } from '../../src/take/groups';

interface Cases {
  channels: string[];
  groups: Record<string, string[]>;
  fps: number;
  base: number[][];
  takes: Record<string, { fps: number; values: number[][] }>;
  cases: { name: string; layers: Layer[]; result: number[][] }[];
}
const cases = JSON.parse(readFileSync('../tests/editing_cases.json', 'utf8')) as Cases;
const sheet = (fps: number, rows: number[][]) => curvesOf(fps, cases.channels, Float32Array.from(rows.flat()));
const base = sheet(cases.fps, cases.base);
const other = (id: string) => cases.takes[id] && sheet(cases.takes[id].fps, cases.takes[id].values);

describe('edits give what motet.editing gives', () => {
  test.each(cases.cases)('$name', ({ layers, result }) => {
    const values = edited(base, layers, other).values;
    const worst = Math.max(...result.flat().map((expected, i) => Math.abs(values[i]! - expected)));
    expect(worst).toBeLessThan(1e-6);
  });
});

test('groups are those of motet.editing', () => {
  for (const [group, channels] of Object.entries(cases.groups)) {
    expect(cases.channels.filter((name) => groupOf(name) === group)).toEqual(channels);
  }
});

test('the base is never changed', () => {
  const before = [...base.values];
  edited(base, cases.cases.flatMap((c) => c.layers), other);
  expect([...base.values]).toEqual(before);
});

test('forty keys in a take of ten minutes follow a drag', () => {
  const frames = 15_000;
  const long = curvesOf(25, cases.channels, new Float32Array(frames * 55).fill(0.2));
  const layers = Array.from({ length: 40 }, (_, i): Layer => {
    return { type: 'key', channels: ['jawOpen'], t: i, value: 0.7, in: 0.1, out: 0.1, mode: 'set' };
  });
  edited(long, layers);
  const started = process.cpuUsage();
  for (let i = 0; i < 5; i++) edited(long, layers);
  expect(process.cpuUsage(started).user / 5000).toBeLessThan(50); // ms of CPU
});

test('sides are edited together, directions are not', () => {
  expect(bothSides('mouthSmileRight')).toEqual(['mouthSmileLeft', 'mouthSmileRight']);
  expect(bothSides('jawOpen')).toEqual(['jawOpen']);
  expect(bothSides('mouthLeft')).toEqual(['mouthLeft']);
});
