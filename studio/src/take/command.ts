import type { OptionValue, Postprocess } from '../api/types';
import { actingFlags } from './acting';

export interface CommandParts {
  sound: string;
  method: string;
  options: Record<string, OptionValue>;
  postprocess: Partial<Postprocess>;
  seed: number;
  text?: string;
  fps?: number;
  /** File with the edits of the take. */
  edits?: string;
  /** More flags of the files, such as `['--size', '1080p']`. */
  flags?: string[];
  outputs: string[];
}

/** Options that have flags of their own; all others are given as `--option NAME=VALUE`. */
const FLAGS: Record<string, string> = {
  style: '--style',
  text: '--text',
  source: '--source',
  genre: '--genre',
  guidance_audio: '--guidance.audio',
  guidance_style: '--guidance.style',
};

/** The `motet run` line that makes what the page shows, to the byte. */
export function commandLine(parts: CommandParts): string {
  const words = ['motet', 'run', parts.sound];
  if (parts.method !== 'artalk') words.push('-m', parts.method);
  for (const [name, value] of Object.entries(parts.options)) {
    if (value === '') continue;
    const flag = FLAGS[name];
    words.push(...(flag ? [flag, String(value)] : ['--option', `${name}=${value}`]));
  }
  if (parts.text) words.push('--text', parts.text);
  words.push(...actingFlags(parts.postprocess));
  if (parts.seed) words.push('--seed', String(parts.seed));
  if (parts.fps) words.push('--fps', String(parts.fps));
  if (parts.edits) words.push('--edits', parts.edits);
  words.push(...(parts.flags ?? []));
  for (const output of parts.outputs) words.push('-o', output);
  return words.map(quoted).join(' ');
}

/** A word as a POSIX shell needs it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
