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
const HEIGHTS = { wave: 56, words: 24, phones: 22, group: 56, channel: 46 };
const HEAD_RANGE = 0.35; // radians, about 20 degrees

/** Rows from top to bottom: the sound, words and phones where known, groups and their open channels. */
export function rowsOf(channels: readonly string[], open: ReadonlySet<Group>, hasPhones: boolean): Row[] {
  const rows: Row[] = [];
  let top = RULER;
  const add = (kind: Row['kind'], title: string, names: string[] = [], group?: Group) => {
    const height = HEIGHTS[kind];
    const range = group === 'head' ? { low: -HEAD_RANGE, high: HEAD_RANGE } : { low: 0, high: 1 };
    rows.push({ kind, title, top, height, group, channels: names, ...range });
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
  return row.low + Math.min(Math.max(share, 0), 1) * (row.high - row.low);
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
