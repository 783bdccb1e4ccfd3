import type { Curves } from '../player/curves';
import { GROUPS, type Group, groupOf, readable, SUMMARY, TITLES } from '../take/groups';

/** One row of the timeline. */
export interface Row {
  kind: 'wave' | 'words' | 'phones' | 'group' | 'channel';
  title: string;
  top: number;
  height: number;
  group?: Group;
  channels: string[];
  /** Values at the bottom and the top of the row. */
  low: number;
  high: number;
}

export const RULER = 22;
const HEIGHTS = { wave: 48, words: 24, phones: 22, group: 45, channel: 45 };
const LEAST_RANGE = 0.25;

/** Rows from top to bottom: the sound, words and phones where known, groups and their open channels. */
export function rowsOf(
  channels: readonly string[],
  largest: ReadonlyMap<string, number>,
  open: ReadonlySet<Group>,
  hasPhones: boolean,
): Row[] {
  const rows: Row[] = [];
  let top = RULER;
  const add = (kind: Row['kind'], title: string, names: string[] = [], group?: Group) => {
    const height = HEIGHTS[kind];
    // Small motion fills its row too; a key may be dragged beyond.
    const most = Math.max(LEAST_RANGE, ...names.map((name) => 1.1 * (largest.get(name) ?? 0)));
    const high = Math.min(most, 1);
    rows.push({ kind, title, top, height, group, channels: names, low: group === 'head' ? -high : 0, high });
    top += height;
  };
  add('wave', 'Sound');
  if (hasPhones) {
    add('words', 'Words');
    add('phones', 'Phones');
  }
  for (const group of GROUPS) {
    const own = channels.filter((name) => groupOf(name) === group);
    if (!own.length) continue;
    add('group', TITLES[group], SUMMARY[group].filter((name) => own.includes(name)), group);
    if (open.has(group)) for (const name of own) add('channel', readable(name), [name], group);
  }
  return rows;
}

/** Largest size of each channel over a take. */
export function largestOf({ channels, values }: Pick<Curves, 'channels' | 'values'>): Map<string, number> {
  const most = new Float32Array(channels.length);
  for (let i = 0; i < values.length; i++) {
    const c = i % channels.length;
    most[c] = Math.max(most[c]!, Math.abs(values[i]!));
  }
  return new Map(channels.map((name, c) => [name, most[c]!]));
}

/** The stretch of time that is shown. */
export interface Span {
  start: number;
  /** Seconds a pixel. */
  scale: number;
}

export const timeAt = (span: Span, x: number) => span.start + x * span.scale;
export const xAt = (span: Span, t: number) => (t - span.start) / span.scale;

export const valueAt = (row: Row, y: number) => {
  const share = (row.top + row.height - 6 - y) / (row.height - 12);
  const value = row.low + share * (row.high - row.low);
  return Math.min(Math.max(value, row.low < 0 ? -1 : 0), 1);
};
export const yAt = (row: Row, value: number) => {
  const share = Math.min(Math.max((value - row.low) / (row.high - row.low), 0), 1);
  return row.top + row.height - 6 - share * (row.height - 12);
};

/** A span that shows everything, or a part around a moment, within the length of the take. */
export function zoomed(span: Span, width: number, duration: number, factor: number, x: number): Span {
  const whole = duration / width;
  const scale = Math.min(Math.max(span.scale * factor, 0.0005), whole);
  return placed({ scale, start: timeAt(span, x) - x * scale }, width, duration);
}

export function placed(span: Span, width: number, duration: number): Span {
  const most = Math.max(duration - width * span.scale, 0);
  return { scale: span.scale, start: Math.min(Math.max(span.start, 0), most) };
}

/** Distance of the marks of the ruler: round seconds, at least 70 pixels apart. */
export function markStep(scale: number): number {
  return [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600].find((step) => step / scale >= 70) ?? 1800;
}
