import { expect, test } from 'vitest';

import { commandLine, quoted } from '../../src/take/command';

const REST = { intensity: 1, head: true, blink: true };

test('defaults need no flags', () => {
  const line = commandLine({
    sound: 'demo.flac',
    method: 'artalk',
    options: {},
    postprocess: REST,
    seed: 0,
    outputs: ['demo.mp4'],
  });
  expect(line).toBe('motet run demo.flac -o demo.mp4');
});

test('every setting that differs is written down', () => {
  const line = commandLine({
    sound: 'my voice.wav',
    method: 'diffposetalk',
    options: { style: 'warm', temperature: 0.7, guidance_audio: 2 },
    postprocess: { intensity: 1.2, head: false, blink: false },
    seed: 7,
    text: "it's fine",
    fps: 60,
    outputs: ['a.glb', 'a.csv'],
  });
  expect(line).toBe(
    "motet run 'my voice.wav' -m diffposetalk --style warm --option temperature=0.7 --guidance.audio 2" +
      ` --text 'it'\\''s fine' --intensity 1.2 --no-head --no-blink --seed 7 --fps 60 -o a.glb -o a.csv`,
  );
});

test('what a shell would read is quoted', () => {
  expect(quoted('$(rm x).wav')).toBe("'$(rm x).wav'");
});
