/** Sounds around the figure: positions in its axes, seen from above. */
export interface Point {
  /** Seconds from the sound's start. */
  t: number;
  /** Degrees to the figure's left; 0 is ahead of it. */
  azimuth: number;
  /** Metres. */
  distance: number;
}

export interface SoundEvent {
  /** Id of the sound. */
  sound: string;
  name: string;
  seconds: number;
  start_s: number;
  points: Point[];
}

export const NEAREST = 0.5;
export const FARTHEST = 5;

/** Place in the top view, metres: the figure looks down the picture, its left is on the right. */
export function toPlan({ azimuth, distance }: { azimuth: number; distance: number }): [x: number, y: number] {
  const angle = (azimuth * Math.PI) / 180;
  return [distance * Math.sin(angle), distance * Math.cos(angle)];
}

/** The inverse, kept between the nearest and the farthest place. */
export function fromPlan(x: number, y: number): { azimuth: number; distance: number } {
  const distance = Math.min(Math.max(Math.hypot(x, y), NEAREST), FARTHEST);
  return { azimuth: Math.round((Math.atan2(x, y) * 180) / Math.PI), distance: Math.round(distance * 100) / 100 };
}

/** Where a sound is at a time of its own: straight between its points, held at the ends. */
export function placeAt(points: readonly Point[], t: number): [x: number, y: number] {
  const after = points.findIndex((point) => point.t >= t);
  if (after <= 0) return toPlan(after === 0 ? points[0]! : points.at(-1)!);
  const [a, b] = [points[after - 1]!, points[after]!];
  const share = (t - a.t) / (b.t - a.t);
  const [from, to] = [toPlan(a), toPlan(b)];
  return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
}

/** A stroke that was drawn, spread evenly over the length of the sound, at most `most` points. */
export function pathOf(stroke: readonly [number, number][], seconds: number, most = 120): Point[] {
  const lengths = [0];
  for (let i = 1; i < stroke.length; i++) {
    const [a, b] = [stroke[i - 1]!, stroke[i]!];
    lengths.push(lengths[i - 1]! + Math.hypot(b[0] - a[0], b[1] - a[1]));
  }
  const total = lengths.at(-1)!;
  if (!total) return [{ t: 0, ...fromPlan(...stroke[0]!) }];
  const step = Math.max(1, Math.ceil(stroke.length / most));
  const kept = stroke.map((_, i) => i).filter((i) => i % step === 0 || i === stroke.length - 1);
  return kept.map((i) => ({ t: Math.round((lengths[i]! / total) * seconds * 1000) / 1000, ...fromPlan(...stroke[i]!) }));
}
