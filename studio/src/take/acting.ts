import type { Postprocess } from '../api/types';

/** Emotions by the name that `--emotion` takes. */
export const EMOTIONS = [
  'joy',
  'anger',
  'sadness',
  'fear',
  'disgust',
  'surprise',
  'contempt',
  'cheekiness',
  'pain',
  'calm',
  'neutral',
] as const;
export type Emotion = (typeof EMOTIONS)[number];

/** An emotion that is reached at a time. */
export interface EmotionKey {
  emotion: Emotion;
  /** 0..1; `neutral` ends all others. */
  weight: number;
  /** Seconds. */
  t: number;
}

/** Post-processing without any effect. */
export const PLAIN: Postprocess = {
  intensity: 1,
  emotion: '',
  head: true,
  head_scale: 1,
  gestures: true,
  gaze: 'camera',
  blink: true,
  close_end: true,
};

/** `joy=0.6,anger=0.8@3` of keys. */
export function emotionText(keys: readonly EmotionKey[]): string {
  return [...keys]
    .sort((a, b) => a.t - b.t)
    .map(({ emotion, weight, t }) => `${emotion}=${emotion === 'neutral' ? 1 : round(weight)}${t > 0 ? `@${round(t)}` : ''}`)
    .join(',');
}

/** Keys of such a text; what is none is left out. */
export function emotionKeys(text: string): EmotionKey[] {
  return text.split(',').flatMap((part) => {
    const [, name, weight, t] = /^\s*([a-z]+)=([\d.]+)(?:@([\d.]+))?\s*$/i.exec(part) ?? [];
    const emotion = EMOTIONS.find((known) => known === name?.toLowerCase());
    return emotion ? [{ emotion, weight: Number(weight), t: Number(t ?? 0) }] : [];
  });
}

/** The flags of `motet run` for what differs from `PLAIN`. */
export function actingFlags(given: Partial<Postprocess>): string[] {
  const settings = { ...PLAIN, ...given };
  return (Object.keys(PLAIN) as (keyof Postprocess)[]).flatMap((name) => {
    const value = settings[name];
    if (value === PLAIN[name]) return [];
    const flag = name.replaceAll('_', '-');
    if (value === false) return [`--no-${flag}`];
    // A gaze may begin with a minus sign, which would read as a flag.
    return String(value).startsWith('-') ? [`--${flag}=${value}`] : [`--${flag}`, String(value)];
  });
}

const round = (value: number) => Math.round(value * 100) / 100;
