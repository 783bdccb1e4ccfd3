import { expect, test } from 'vitest';

import { PLAIN } from '../../src/take/acting';
import { commandLine, quoted } from '../../src/take/command';

const REST = { ...PLAIN };

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

test('edits are a file that the command reads', () => {
  const parts = { sound: 'a.wav', method: 'artalk', options: {}, postprocess: REST, seed: 3, outputs: ['a.mp4'] };
  const line = commandLine({ ...parts, edits: 'a-artalk-3.edits.json', flags: ['--size', '9:16'] });
  expect(line).toBe('motet run a.wav --seed 3 --edits a-artalk-3.edits.json --size 9:16 -o a.mp4');
});
