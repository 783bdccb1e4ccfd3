/**
 * Edits: layers over a take that never changes. The same formulas as `motet/editing.py`; both are
 * held to `tests/editing_cases.json` within 1e-6. The page computes them so that the figure follows
 * a drag at once; the server computes them again when they are saved.
 */
import { type Curves, curvesOf } from '../player/curves';
import { type Group, groupOf } from './groups';

export interface KeyLayer {
  type: 'key';
  channels: string[];
  t: number;
  value: number;
  in: number;
  out: number;
  mode: 'set' | 'add';
}

export interface RegionLayer {
  type: 'region';
  t0: number;
  t1: number;
  groups: Group[];
  gain: number;
  offset: number;
  fade: number;
}

export interface ShiftLayer {
  type: 'shift';
  t0: number;
  t1: number;
  groups: Group[];
  dt: number;
}

export interface TakeLayer {
  type: 'take';
  t0: number;
  t1: number;
  groups: Group[];
  take_id: string;
  fade: number;
}

export interface CloseLipsLayer {
  type: 'close_lips';
  t: number;
  width: number;
}

export type Layer = KeyLayer | RegionLayer | ShiftLayer | TakeLayer | CloseLipsLayer;

export const WEIGHTS = 52;
const SHIFT_FADE = 0.1;
/** Change of the gap between the lips for one unit of a shape, in mouth widths; both sides together. */
const PARTING: Record<string, number> = {
  mouthFunnel: 0.262,
  mouthShrugUpper: 0.077,
  mouthDimple: 0.004,
  mouthFrown: 0.004,
  mouthLowerDown: 0.072,
  mouthStretch: 0.008,
  mouthUpperUp: 0.09,
};
const PRESSING: Record<string, number> = {
  mouthClose: -0.647,
  mouthPucker: -0.017,
  mouthRollLower: -0.071,
  mouthRollUpper: -0.052,
  mouthShrugLower: -0.092,
  mouthPress: -0.052,
  mouthSmile: -0.056,
};
const JAW = 0.647;

interface Sheet {
  fps: number;
  frames: number;
  width: number;
  channels: readonly string[];
  values: Float64Array;
}

/**
 * A take with layers applied in their order.
 *
 * @param other gives the curves that `take` layers name; layers whose take is unknown are left out.
 */
export function edited(
  base: Curves,
  layers: readonly Layer[],
  other: (takeId: string) => Curves | undefined = () => undefined,
): Curves {
  if (!layers.length) return base;
  const { fps, frames, channels } = base;
  const sheet: Sheet = { fps, frames, width: channels.length, channels, values: new Float64Array(base.values) };
  clip(sheet, 0, frames);
  for (const layer of layers) apply(sheet, layer, other);
  return curvesOf(fps, channels, new Float32Array(sheet.values));
}

/** 1 within t0..t1, falling to 0 over a cosine of that many seconds outside. */
export function ramp(t: number, t0: number, t1: number, before: number, after: number): number {
  const outside = Math.max(share(Math.max(t0 - t, 0), before), share(Math.max(t - t1, 0), after));
  return 0.5 + 0.5 * Math.cos(Math.PI * Math.min(outside, 1));
}

function share(distance: number, length: number): number {
  if (length > 0) return distance / length;
  return distance > 1e-9 ? 1 : 0; // a ramp of no length is a step
}

function apply(sheet: Sheet, layer: Layer, other: (takeId: string) => Curves | undefined) {
  switch (layer.type) {
    case 'key': {
      const columns = columnsOf(sheet, (name) => layer.channels.includes(name));
      const set = layer.mode === 'set';
      weighted(sheet, layer.t, layer.t, layer.in, layer.out, columns, (v) => (set ? layer.value - v : layer.value));
      break;
    }
    case 'region': {
      const { gain, offset } = layer;
      over(sheet, layer, layer.fade, (v) => gain * v + offset - v);
      break;
    }
    case 'shift': {
      const before = curvesOf64(sheet);
      over(sheet, layer, SHIFT_FADE, (v, frame, column) => before(frame / sheet.fps - layer.dt, column) - v);
      break;
    }
    case 'take': {
      const take = other(layer.take_id);
      if (!take) break;
      const read = interpolator(take.values, take.channels.length, take.frames, take.fps);
      over(sheet, layer, layer.fade, (v, frame, column) => {
        const own = take.channels.indexOf(sheet.channels[column]!);
        return own < 0 ? 0 : read(frame / sheet.fps, own) - v;
      });
      break;
    }
    case 'close_lips':
      closeLips(sheet, layer);
  }
}

type Step = (value: number, frame: number, column: number) => number;

function over(sheet: Sheet, layer: { t0: number; t1: number; groups: Group[] }, fade: number, step: Step) {
  const columns = columnsOf(sheet, (name) => layer.groups.includes(groupOf(name) as Group));
  weighted(sheet, layer.t0, layer.t1, fade, fade, columns, step);
}

/** v += w * step(v) in the frames that a ramp reaches, then weights within 0..1. */
function weighted(
  sheet: Sheet,
  t0: number,
  t1: number,
  before: number,
  after: number,
  columns: readonly number[],
  step: Step,
) {
  const [first, end] = reach(sheet, t0 - before, t1 + after);
  for (let f = first; f < end; f++) {
    const w = ramp(f / sheet.fps, t0, t1, before, after);
    for (const c of columns) {
      const i = f * sheet.width + c;
      const v = sheet.values[i]!;
      sheet.values[i] = v + w * step(v, f, c);
    }
  }
  clip(sheet, first, end);
}

/** Frames within two moments, one more at both ends. */
function reach({ fps, frames }: Sheet, from: number, to: number): [first: number, end: number] {
  const first = Math.max(0, Math.floor(from * fps) - 1);
  return [Math.min(first, frames), Math.max(0, Math.min(frames, Math.ceil(to * fps) + 2))];
}

function clip(sheet: Sheet, first: number, end: number) {
  const count = Math.min(WEIGHTS, sheet.width);
  for (let f = first; f < end; f++) {
    for (let c = 0, i = f * sheet.width; c < count; c++, i++) {
      const v = sheet.values[i]!;
      if (v < 0) sheet.values[i] = 0;
      else if (v > 1) sheet.values[i] = 1;
    }
  }
}

function columnsOf(sheet: Sheet, wanted: (channel: string) => boolean): number[] {
  return sheet.channels.flatMap((name, column) => (wanted(name) ? [column] : []));
}

/** A copy of the sheet's values that can be read between frames. */
function curvesOf64({ values, width, frames, fps }: Sheet) {
  return interpolator(new Float64Array(values), width, frames, fps);
}

function interpolator(values: ArrayLike<number>, width: number, frames: number, fps: number) {
  return (t: number, column: number): number => {
    const position = Math.min(Math.max(t * fps, 0), frames - 1);
    const first = Math.floor(position);
    const next = Math.min(first + 1, frames - 1);
    const value = values[first * width + column]!;
    return value + (position - first) * (values[next * width + column]! - value);
  };
}

/** Close the lips by a ramp around a moment; see `motet.face.lip_shapes.close_lips`. */
function closeLips(sheet: Sheet, { t, width }: CloseLipsLayer) {
  const half = width / 2;
  const nearest = nearestFrame(sheet, t);
  const [first, end] = reach(sheet, t - half, t + half);
  const column = (name: string) => sheet.channels.indexOf(name);
  const [jaw, close] = [column('jawOpen'), column('mouthClose')];
  const parting = sided(sheet, PARTING);
  const pressing = sided(sheet, PRESSING);
  for (let f = Math.min(first, nearest); f < Math.max(end, nearest + 1); f++) {
    // A short closure falls between two frames: the nearest one is closed all the same.
    const amount = f === nearest ? 1 : ramp(f / sheet.fps, t, t, half, half);
    const at = f * sheet.width;
    const { values } = sheet;
    let open = values[at + jaw]! * JAW;
    for (const [c, gain] of [...parting, ...pressing]) open += values[at + c]! * gain;
    const gap = Math.max(open, 0) * amount;
    // First mouthClose, which never exceeds jawOpen; what remains comes from shapes that part the lips.
    const step = Math.min(gap / JAW, Math.max(values[at + jaw]! - values[at + close]!, 0));
    values[at + close] = values[at + close]! + step;
    let total = 0;
    for (const [c, gain] of parting) total += values[at + c]! * gain;
    const taken = Math.min(Math.max((gap - step * JAW) / Math.max(total, 1e-9), 0), 1);
    for (const [c] of parting) values[at + c] = values[at + c]! * (1 - taken);
    clip(sheet, f, f + 1);
  }
}

function sided(sheet: Sheet, gains: Record<string, number>): [column: number, gain: number][] {
  return Object.entries(gains).flatMap(([name, gain]) => {
    const one = sheet.channels.indexOf(name);
    if (one >= 0) return [[one, gain] as [number, number]];
    return ['Left', 'Right'].map((side) => [sheet.channels.indexOf(name + side), gain / 2] as [number, number]);
  });
}

function nearestFrame({ fps, frames }: Sheet, t: number): number {
  const first = Math.min(Math.max(Math.floor(t * fps), 0), frames - 1);
  const next = Math.min(first + 1, frames - 1);
  return Math.abs(next / fps - t) < Math.abs(first / fps - t) ? next : first;
}

/** The other half of a shape with two sides, so that both are edited alike. */
export function bothSides(channel: string): string[] {
  const other = channel.endsWith('Left')
    ? channel.replace(/Left$/, 'Right')
    : channel.endsWith('Right')
      ? channel.replace(/Right$/, 'Left')
      : undefined;
  // To the left and to the right are two different motions, not two halves of one.
  return other && !/^(jaw|mouth)(Left|Right)$/.test(channel) ? [channel, other].sort() : [channel];
}
