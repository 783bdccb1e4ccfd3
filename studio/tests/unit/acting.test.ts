import { expect, test } from 'vitest';

import { actingFlags, emotionKeys, emotionText } from '../../src/take/acting';

test('emotions are written as the command line reads them, in order of time', () => {
  const keys = [
    { emotion: 'anger', weight: 0.8, t: 3 },
    { emotion: 'joy', weight: 0.6, t: 0 },
    { emotion: 'neutral', weight: 0.3, t: 5.25 },
  ] as const;
  expect(emotionText(keys)).toBe('joy=0.6,anger=0.8@3,neutral=1@5.25');
});

test('and read back', () => {
  const text = 'joy=0.6,anger=0.8@3';
  expect(emotionText(emotionKeys(text))).toBe(text);
  expect(emotionKeys('nonsense, joy=x,pain=1')).toEqual([{ emotion: 'pain', weight: 1, t: 0 }]);
});

test('only what differs becomes a flag', () => {
  expect(actingFlags({})).toEqual([]);
  expect(actingFlags({ intensity: 1, gaze: 'camera', head: true })).toEqual([]);
  const acting = { emotion: 'joy=0.6', gaze: 'free', head_scale: 1.5, gestures: false, blink: false };
  expect(actingFlags(acting)).toEqual(
    ['--emotion', 'joy=0.6', '--head-scale', '1.5', '--no-gestures', '--gaze', 'free', '--no-blink'],
  );
  expect(actingFlags({ gaze: '-20,5' })).toEqual(['--gaze=-20,5']);
});
